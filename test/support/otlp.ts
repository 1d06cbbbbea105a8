// A collector of traces, as far as tests need one: takes OTLP over HTTP, in protobuf or in JSON, and shows the spans.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

export type SpanKind = "internal" | "server" | "client" | "producer" | "consumer";

export interface Link {
  readonly traceId: string;
  readonly spanId: string;
}

export interface Span extends Link {
  /** Absent: a root. */
  readonly parentId: string | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly links: readonly Link[];
  readonly failed: boolean;
  readonly start_ns: bigint;
  readonly end_ns: bigint;
  /** Of the process that exported it. */
  readonly resource: Readonly<Record<string, string | number | boolean>>;
}

export class Collector {
  readonly spans: Span[] = [];
  /** What came over the wire, as text: whatever is nowhere in it was not exported. */
  readonly raw: string[] = [];
  /** By content type. */
  readonly exports: string[] = [];
  readonly #server = createServer(async (req, res) => {
    try {
      this.#take(req.headers["content-type"] ?? "", await bodyOf(req));
      res.setHeader("content-type", req.headers["content-type"] ?? "");
      res.end(req.headers["content-type"] === JSON_TYPE ? "{}" : "");
    } catch (error) {
      res.writeHead(400).end(String(error));
    }
  });

  static async start(): Promise<Collector> {
    const collector = new Collector();
    await new Promise<void>((resolve) => collector.#server.listen(0, "127.0.0.1", resolve));
    return collector;
  }

  /** What a program needs to export to it, at once. */
  environment(protocol: "http/protobuf" | "http/json" = "http/protobuf"): Record<string, string> {
    const { port } = this.#server.address() as AddressInfo;
    return {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_BSP_SCHEDULE_DELAY: "50",
    };
  }

  /** Those of one trace, by when they began. */
  trace(traceId: string): Span[] {
    return this.spans
      .filter((span) => span.traceId === traceId)
      .sort((a, b) => Number(a.start_ns - b.start_ns));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take(type: string, body: Buffer): void {
    this.exports.push(type);
    this.raw.push(body.toString("latin1"));
    this.spans.push(...(type === JSON_TYPE ? fromJson(JSON.parse(body.toString())) : fromProtobuf(body)));
  }
}

/** Spans as lines, children below their parents: `  POST /orders (server)`. Of siblings, as they began. */
export function tree(spans: readonly Span[]): string[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const below = (parent: string | undefined, depth: number): string[] =>
    spans
      .filter(({ parentId }) => (parent === undefined ? !ids.has(parentId ?? "") : parentId === parent))
      .flatMap((span) => [
        `${"  ".repeat(depth)}${span.name} (${span.kind})`,
        ...below(span.spanId, depth + 1),
      ]);
  return below(undefined, 0);
}

const JSON_TYPE = "application/json";

const KINDS: readonly SpanKind[] = ["internal", "internal", "server", "client", "producer", "consumer"];

const ERROR = 2;

async function bodyOf(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

// ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────

type Value = { stringValue?: string; intValue?: string | number; boolValue?: boolean; doubleValue?: number };
type Pair = { key: string; value: Value };

interface Json {
  resourceSpans: {
    resource?: { attributes?: Pair[] };
    scopeSpans: {
      spans: {
        traceId: string;
        spanId: string;
        parentSpanId?: string;
        name: string;
        kind: number;
        startTimeUnixNano: string;
        endTimeUnixNano: string;
        attributes?: Pair[];
        links?: Link[];
        status?: { code?: number };
      }[];
    }[];
  }[];
}

function fromJson({ resourceSpans }: Json): Span[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentId: span.parentSpanId || undefined,
        name: span.name,
        kind: KINDS[span.kind] ?? "internal",
        attributes: record(span.attributes),
        links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId, spanId })),
        failed: span.status?.code === ERROR,
        start_ns: BigInt(span.startTimeUnixNano),
        end_ns: BigInt(span.endTimeUnixNano),
        resource: record(resource?.attributes),
      })),
    ),
  );
}

function record(pairs: readonly Pair[] = []): Span["attributes"] {
  return Object.fromEntries(
    pairs.map(({ key, value }) => [
      key,
      value.stringValue ?? value.boolValue ?? Number(value.intValue ?? value.doubleValue ?? Number.NaN),
    ]),
  );
}

// ── Protobuf: opentelemetry/proto/trace/v1/trace.proto ────────────────────────────────────────────────────────────

/** A message by its field numbers, whatever they mean. */
type Fields = ReadonlyMap<number, readonly (Uint8Array | bigint | number)[]>;

function fieldsOf(bytes: Uint8Array): Fields {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, (Uint8Array | bigint | number)[]>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const all = fields.get(number) ?? [];
    fields.set(number, all);
    if (type === WireType.LengthDelimited) all.push(reader.bytes());
    else if (type === WireType.Bit64) all.push(BigInt(reader.fixed64()));
    else if (type === WireType.Varint) all.push(BigInt(reader.int64()));
    else all.push(reader.fixed32());
  }
  return fields;
}

function messages(fields: Fields, number: number): Fields[] {
  return (fields.get(number) ?? []).map((value) => fieldsOf(value as Uint8Array));
}

function bytesOf(fields: Fields, number: number): Buffer {
  return Buffer.from((fields.get(number)?.[0] as Uint8Array | undefined) ?? []);
}

function numberOf(fields: Fields, number: number): bigint {
  return BigInt((fields.get(number)?.[0] as bigint | number | undefined) ?? 0);
}

function fromProtobuf(body: Buffer): Span[] {
  return messages(fieldsOf(body), 1).flatMap((resourceSpans) => {
    const resource = attributesOf(messages(resourceSpans, 1).flatMap((each) => messages(each, 1)));
    const spans = messages(resourceSpans, 2).flatMap((scopeSpans) => messages(scopeSpans, 2));
    return spans.map((span) => ({
      ...idsOf(span),
      parentId: bytesOf(span, 4).toString("hex") || undefined,
      name: bytesOf(span, 5).toString(),
      kind: KINDS[Number(numberOf(span, 6))] ?? "internal",
      start_ns: numberOf(span, 7),
      end_ns: numberOf(span, 8),
      attributes: attributesOf(messages(span, 9)),
      links: messages(span, 13).map(idsOf),
      failed: messages(span, 15).some((status) => numberOf(status, 3) === BigInt(ERROR)),
      resource,
    }));
  });
}

function idsOf(fields: Fields): Link {
  return { traceId: bytesOf(fields, 1).toString("hex"), spanId: bytesOf(fields, 2).toString("hex") };
}

function attributesOf(pairs: readonly Fields[]): Span["attributes"] {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [value] = messages(pair, 2);
      const key = bytesOf(pair, 1).toString();
      if (value?.has(2)) return [key, numberOf(value, 2) === 1n];
      if (value?.has(3)) return [key, Number(numberOf(value, 3))];
      return [key, value === undefined ? "" : bytesOf(value, 1).toString()];
    }),
  );
}
