// A body on its way from the client to the service.

import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:http2";
import { expect, onTestFinished, test } from "vitest";
import { Upload } from "../src/forward/upload.ts";
import { openEdge } from "./support/edge.ts";

/** More than one piece, and less than an upload holds. */
const BODY = Buffer.alloc(40_000, "x");

test.each(["HTTP/1.1", "HTTP/2"])(
  "over %s, a body whose end has come before the service took it is whole",
  async (protocol) => {
    const edge = await openEdge(async (req, res) => {
      const upload = new Upload(req, res, 65_536);
      // The service takes nothing more, and all of the request arrives meanwhile.
      upload.read(0);
      await new Promise<void>((resolve) =>
        req.once("close", resolve).once("end", () => setImmediate(resolve)),
      );
      await new Promise((resolve) => setImmediate(resolve));
      let length = 0;
      try {
        for await (const chunk of upload) length += chunk.length;
        res.end(`${length}`);
      } catch (error) {
        res.end(String(error));
      }
    });
    if (protocol === "HTTP/1.1") {
      const req = request({ host: "127.0.0.1", port: edge.port, method: "POST" }).end(BODY);
      const [res] = await once(req, "response");
      expect(String(Buffer.concat(await res.toArray()))).toBe(`${BODY.length}`);
    } else {
      const session = connect(`http://127.0.0.1:${edge.port}`);
      onTestFinished(() => session.destroy());
      const stream = session.request({ ":method": "POST", ":path": "/" }).setEncoding("utf8");
      stream.end(BODY);
      expect((await stream.toArray()).join("")).toBe(`${BODY.length}`);
    }
  },
);
