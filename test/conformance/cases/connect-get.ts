// Connect's GET, for calls without side effects: what caches and browsers make of it.

import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { QueueService } from "@usher/protocol/queue";
import { describe, expect, it } from "vitest";
import { type Stage, ticketOf } from "../support/stage.ts";

export function connectGetCases(stage: () => Stage): void {
  const url = (method: string, message: object) => {
    const query = new URLSearchParams({ connect: "v1", encoding: "json", message: JSON.stringify(message) });
    return `${stage().usher.gatewayUrl}/usher.queue.v1.QueueService/${method}?${query}`;
  };

  describe("a GET", () => {
    it("of GetTicket is answered, and may be kept by nobody", async () => {
      const [issued] = await stage().issue(stage().queue("paused"), 1);
      const answer = await fetch(url("GetTicket", { token: issued?.token }));
      expect(answer.status).toBe(200);
      expect(answer.headers.get("cache-control")).toBe("no-store");
      expect(await answer.json()).toMatchObject({ status: { ticket: { number: 1, position: 1 } } });
    });

    it("of GetTicket that is refused may be kept by nobody either", async () => {
      const answer = await fetch(url("GetTicket", { token: "forged" }));
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({ code: "unauthenticated" });
      expect(answer.headers.get("cache-control") ?? "no-store").toBe("no-store");
    });

    it("of GetQueue is answered, and may be kept by all for a moment", async () => {
      const queue = stage().queue("paused");
      const answer = await fetch(url("GetQueue", { queue }));
      expect(answer.status).toBe(200);
      expect(answer.headers.get("cache-control")).toMatch(/^public, max-age=\d+$/);
      expect(await answer.json()).toMatchObject({ queue: { name: queue } });
    });

    it("is what connect's client sends when it is told to", async () => {
      const transport = createConnectTransport({
        baseUrl: stage().usher.gatewayUrl,
        httpVersion: "1.1",
        useHttpGet: true,
        useBinaryFormat: true,
      });
      const client = createClient(QueueService, transport);
      const [issued] = await stage().issue(stage().queue("paused"), 1);
      let cacheControl: string | null = null;
      const answer = await client.getTicket(
        { token: issued?.token ?? "" },
        { onHeader: (headers) => (cacheControl = headers.get("cache-control")) },
      );
      expect(ticketOf(answer).position).toBe(1);
      expect(cacheControl).toBe("no-store");
    });

    it("of a call with side effects is refused, and has none", async () => {
      const queue = stage().queue("paused");
      for (const method of ["Issue", "Leave", "Admit", "Complete"]) {
        const answer = await fetch(url(method, { queue, token: "t" }));
        await answer.arrayBuffer();
        expect(answer.status).toBe(405);
      }
      expect((await stage().visitor.getQueue({ queue })).queue?.lastNumber).toBe(0);
      await stage().takesAFreshTicket();
    });

    it("with a message that is none is refused", async () => {
      for (const message of ["", "{", "[1]", '{"queue":7}', `{"queue":"${"x".repeat(6_000)}"}`]) {
        const query = new URLSearchParams({ connect: "v1", encoding: "json", message });
        const answer = await fetch(
          `${stage().usher.gatewayUrl}/usher.queue.v1.QueueService/GetQueue?${query}`,
        );
        await answer.arrayBuffer();
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.status).toBeLessThan(500);
      }
      await stage().takesAFreshTicket();
    });
  });
}
