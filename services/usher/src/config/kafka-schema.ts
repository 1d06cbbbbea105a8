// The shape of the section `kafka` of `usher.yaml`: what a Kafka log needs beyond its brokers.

import * as z from "zod";
import { field, fields } from "./fields.ts";
import { belongTogether, certificates, password, privateKey } from "./named-files.ts";
import { bytes, filePath, integer, oneOf, topicPrefix, word } from "./readers.ts";

const MiB = 1024 * 1024;

export const KAFKA_BOUNDS = {
  replication: [1, 100],
  /** The least holds a few of the largest requests. */
  spool_bytes: [64 * MiB, 1024 * 1024 * MiB],
} as const;

/** Where a node keeps what it keeps on its disk: the embedded log, or a Kafka log's spool. */
export const DATA_DEFAULT = "./data";

export const KAFKA_DEFAULTS = { topics: "usher", replication: 3, spool_bytes: 1024 * MiB } as const;

/** The environment's variable for the password. */
export const PASSWORD_VARIABLE = "USHER_KAFKA_PASSWORD";

export interface Surroundings {
  /** Paths in the file count from here. */
  readonly directory: string;
  /** The variables of the environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function kafkaSchema({ directory, env }: Surroundings) {
  const tls = fields(
    {
      ca: field(certificates(directory)).optional(),
      cert: field(certificates(directory)).optional(),
      key: field(privateKey(directory)).optional(),
    },
    "true, or a map of ca, cert, key",
  ).transform(({ ca, cert, key }, context) => {
    if (cert === undefined && key === undefined) return { ca, own: undefined };
    if (cert === undefined || key === undefined) {
      const [given, missing] = cert === undefined ? ["key", "cert"] : ["cert", "key"];
      context.addIssue({
        code: "custom",
        path: [given],
        message: `stands without ${missing}; give both, or neither`,
      });
      return z.NEVER;
    }
    if (!belongTogether(cert, key)) {
      context.addIssue({
        code: "custom",
        path: ["key"],
        message: "is another certificate's; give the one that kafka.tls.cert was made with",
      });
      return z.NEVER;
    }
    return { ca, own: { cert, key } };
  });

  const sasl = fields({
    mechanism: field(mechanism),
    username: field(word),
    password_file: field(password(directory)).optional(),
  }).transform(({ mechanism, username, password_file }, context) => {
    const password = password_file ?? env[PASSWORD_VARIABLE];
    if (password !== undefined && password !== "") return { mechanism, username, password };
    context.addIssue({
      code: "custom",
      message: `has no password; give password_file, or the environment's ${PASSWORD_VARIABLE}`,
    });
    return z.NEVER;
  });

  const spool = fields({
    directory: field(filePath).default(DATA_DEFAULT),
    max_bytes: field(bytes(...KAFKA_BOUNDS.spool_bytes)).default(KAFKA_DEFAULTS.spool_bytes),
  });

  return fields({
    topics: field(topicPrefix).default(KAFKA_DEFAULTS.topics),
    replication: field(integer(...KAFKA_BOUNDS.replication)).default(KAFKA_DEFAULTS.replication),
    // `true` is all defaults, `false` is as if it were not there.
    tls: z.preprocess((value) => (value === true ? {} : value === false ? undefined : value), tls.optional()),
    sasl: sasl.optional(),
    spool: spool.prefault({}),
  });
}

/** Kafka's own tools write it in capital letters. */
function mechanism(value: unknown) {
  const read = oneOf("plain", "scram-sha-256", "scram-sha-512");
  return read(typeof value === "string" ? value.toLowerCase() : value);
}
