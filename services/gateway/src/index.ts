// The gateway, for the program that starts it.

export { type EdgeOptions, type Gateway, type GatewayOptions, startGateway } from "./gateway.ts";
export { BindError, CertificateError } from "./listener/listener.ts";
export { type Route, Routes } from "./route.ts";
