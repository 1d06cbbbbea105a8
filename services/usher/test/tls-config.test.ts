// What `listen.tls` may say.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { certificate, renewed } from "../../../test/support/certificate.ts";
import type { Config } from "../src/config/config.ts";
import { parseConfig } from "../src/config/load.ts";
import { ConfigError } from "../src/config/mistake.ts";

function parse(tls: string, files: Readonly<Record<string, string>>): { directory: string; config: Config } {
  const directory = mkdtempSync(join(tmpdir(), "usher-config-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const text = `listen: { tls: ${tls} }\nservices: { s: { url: http://h } }\nroutes: [{ match: /*, service: s }]\n`;
  return { directory, config: parseConfig(text, { name: "usher.yaml", directory }) };
}

test("a certificate and its key are looked at, and their places kept", () => {
  const { directory, config } = parse("{ cert: c.pem, key: k.pem }", {
    "c.pem": certificate.cert,
    "k.pem": certificate.key,
  });
  expect(config.listen.tls).toEqual({ cert: join(directory, "c.pem"), key: join(directory, "k.pem") });
});

test.each([
  ["{ cert: c.pem, key: other.pem }", "listen.tls.key (line 1): is another certificate's"],
  ["{ cert: c.pem, key: gone.pem }", 'listen.tls.key (line 1): "gone.pem" is not there'],
  ["{ cert: k.pem, key: k.pem }", 'listen.tls.cert (line 1): "k.pem" holds no certificate'],
  ["{ cert: c.pem }", "listen.tls.key (line 1): is missing"],
  ["true", "listen.tls (line 1): true is a boolean; give a map of cert, key"],
])("%s is refused in words", (tls, words) => {
  const files = { "c.pem": certificate.cert, "k.pem": certificate.key, "other.pem": renewed.key };
  expect(() => parse(tls, files)).toThrow(ConfigError);
  expect(() => parse(tls, files)).toThrow(words);
});
