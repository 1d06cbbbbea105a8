// Who gets in: the listeners for clients, their passwords, certificates and rights.

import { type Certificate, PASSWORD } from "./certificate.ts";
import { LocalKafkaError } from "./errors.ts";

/** A broker's door for clients. `plain`: nothing encrypted, nobody asked. `sasl`: a password. `tls`: encrypted.
 * `sasl_tls`: both. */
export type Listener = "plain" | "sasl" | "tls" | "sasl_tls";

/** Kafka's names for them. */
export const PROTOCOLS: Readonly<Record<Listener, string>> = {
  plain: "PLAINTEXT",
  sasl: "SASL_PLAINTEXT",
  tls: "SSL",
  sasl_tls: "SASL_SSL",
};

export interface Security {
  /** Name to password; for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 alike. */
  readonly saslUsers: Readonly<Record<string, string>>;
  /** With it there are listeners with TLS. */
  readonly certificate: Certificate | undefined;
  /** Whether rights are asked for. */
  readonly acl: boolean;
}

/** They are written into settings whose quoting is nobody's business here. */
const WORD = /^[\w.-]+$/;

const PLAIN_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule";
const SCRAM = ["SCRAM-SHA-256", "SCRAM-SHA-512"];
const AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";

/** Throws a `LocalKafkaError` for what cannot be. */
export function checkSecurity(saslUsers: Readonly<Record<string, string>>, acl: boolean): void {
  for (const word of Object.entries(saslUsers).flat())
    if (!WORD.test(word))
      throw new LocalKafkaError(`"${word}" as a user or password: use letters, digits, . _ -`);
  if (acl && Object.keys(saslUsers).length === 0)
    throw new LocalKafkaError("acl without saslUsers: nobody has a name, and the nameless may do everything");
}

export function listenersOf({ saslUsers, certificate }: Security): Listener[] {
  const sasl = Object.keys(saslUsers).length > 0;
  const tls = certificate !== undefined;
  return [
    "plain",
    ...(sasl ? (["sasl"] as const) : []),
    ...(tls ? (["tls"] as const) : []),
    ...(sasl && tls ? (["sasl_tls"] as const) : []),
  ];
}

export function securityProperties(security: Security): Record<string, string> {
  const all: Record<string, string> = {};
  for (const listener of listenersOf(security)) {
    const prefix = `listener.name.${listener}`;
    if (listener.startsWith("sasl")) Object.assign(all, sasl(prefix, security.saslUsers));
    if (listener.endsWith("tls")) Object.assign(all, tls(prefix, security.certificate));
  }
  // The brokers among themselves are nameless, too.
  if (security.acl)
    Object.assign(all, { "authorizer.class.name": AUTHORIZER, "super.users": "User:ANONYMOUS" });
  return all;
}

/** The arguments by which the tool that makes the data directories stores the users of SCRAM. */
export function scramArguments({ saslUsers }: Security): string[] {
  return Object.entries(saslUsers).flatMap(([name, password]) =>
    SCRAM.flatMap((mechanism) => ["--add-scram", `${mechanism}=[name=${name},password=${password}]`]),
  );
}

function sasl(prefix: string, users: Readonly<Record<string, string>>): Record<string, string> {
  const plain = Object.entries(users).map(([name, password]) => ` user_${name}="${password}"`);
  return {
    [`${prefix}.sasl.enabled.mechanisms`]: ["PLAIN", ...SCRAM].join(","),
    [`${prefix}.plain.sasl.jaas.config`]: `${PLAIN_LOGIN} required${plain.join("")};`,
    ...Object.fromEntries(
      SCRAM.map((mechanism) => [
        `${prefix}.${mechanism.toLowerCase()}.sasl.jaas.config`,
        `${SCRAM_LOGIN} required;`,
      ]),
    ),
  };
}

function tls(prefix: string, certificate: Certificate | undefined): Record<string, string> {
  if (certificate === undefined) return {};
  return {
    [`${prefix}.ssl.keystore.type`]: "PKCS12",
    [`${prefix}.ssl.keystore.location`]: certificate.keystore,
    [`${prefix}.ssl.keystore.password`]: PASSWORD,
    [`${prefix}.ssl.key.password`]: PASSWORD,
  };
}
