// The server's own log: what it says, in one of two dresses. Text is for people and is the program's to write; JSON
// (json.ts) is for what collects logs.

export type LogLevel = "info" | "warn" | "error";

/** What belongs to a line beside its message. Never a secret, and nothing that a client may fill at will. */
export type LogFields = Readonly<Record<string, string | number>>;

/** Writes a line, at once. */
export type ServerLog = (level: LogLevel, message: string, fields?: LogFields) => void;
