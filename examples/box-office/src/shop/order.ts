// What a buyer asks for: `{"buyer": "…", "seats": 1}`.

export interface Order {
  readonly buyer: string;
  readonly seats: number;
}

/** Seats that one purchase may take. */
const SEATS_MAX = 10;

/** Characters of a buyer's name. */
const BUYER_MAX = 100;

/** The order, or what is wrong with it, in one line. */
export function parseOrder(text: string): Order | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "the body must be JSON";
  }
  if (typeof value !== "object" || value === null) return "the body must be a JSON object";
  const { buyer, seats } = value as { buyer?: unknown; seats?: unknown };
  if (typeof buyer !== "string" || buyer === "" || buyer.length > BUYER_MAX) {
    return `buyer must be a text of 1 to ${BUYER_MAX} characters`;
  }
  if (typeof seats !== "number" || !Number.isInteger(seats) || seats < 1 || seats > SEATS_MAX) {
    return `seats must be a whole number from 1 to ${SEATS_MAX}`;
  }
  return { buyer, seats };
}
