// The gateway's port with the suite's service behind it, as the suite's runner starts it: its wishes come by standard
// input, where it listens is told by standard output. `node server.ts <descriptor set>`.
//
//   service.ts   the suite's service         words.ts   its messages

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ConnectError, createContextValues } from "@connectrpc/connect";
import { listen } from "../../src/listener/listener.ts";
import { observeRequest } from "../../src/observe/request.ts";
import { explained } from "../../src/rpc/refusal.ts";
import { serveRpc } from "../../src/rpc/serve.ts";
import { ConformanceService } from "./service.ts";
import { type ServerRequest, Words } from "./words.ts";

const words = new Words(process.argv[2] ?? "");
const asked = await buffer(process.stdin);
const { useTls, serverCreds, messageReceiveLimit } = fromBinary(
  words.serverRequest,
  asked.subarray(4, 4 + asked.readUInt32BE()),
) as ServerRequest;

const service = new ConformanceService(words);
const rpc = serveRpc({
  routes: (router) => router.service(words.service, service.methods),
  plain: { service: words.service, methods: service.methods },
  contextValues: () => createContextValues(),
  message_bytes: messageReceiveLimit,
  types: words.types,
  // Without the details that Usher puts into its refusals: the suite knows of none.
  explain: (error) => (service.isOwn(error) ? error : withoutDetails(explained(error, messageReceiveLimit))),
});

const folder = await mkdtemp(join(tmpdir(), "usher-conformance-"));
const files = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
const creds = useTls ? serverCreds : undefined;
if (creds !== undefined)
  await Promise.all([writeFile(files.cert, creds.cert), writeFile(files.key, creds.key)]);
const listener = await listen({
  host: "127.0.0.1",
  port: 0,
  tls: creds && files,
  handler: (req, res, target) => observeRequest(req, res, target.path, () => rpc(req, res)),
  onFault: (fault) => console.error(fault),
});
await rm(folder, { recursive: true });

process.once("SIGTERM", () => process.exit());
const answer = toBinary(
  words.serverResponse,
  create(words.serverResponse, {
    host: "127.0.0.1",
    port: listener.port,
    ...(creds && { pemCert: creds.cert }),
  }),
);
const length = Buffer.alloc(4);
length.writeUInt32BE(answer.length);
process.stdout.write(Buffer.concat([length, answer]));

function withoutDetails({ rawMessage, code, metadata }: ConnectError): ConnectError {
  return new ConnectError(rawMessage, code, metadata);
}
