// One queue, followed by its records: which tickets there are, and how each of them ends.
//
// The log says what was asked for; the queue's rules decide. This follows as many of them as a report needs: an issue
// that is accepted makes the next number, the first claim of an attempt wins, and what nobody answers in time lapses.
// Who was admitted when, no record says: that is the fold's conclusion from budget, room and ticks. The first claim of
// a request is the first that the log knows of its turn.

import {
  type ClaimReleased,
  type DispatchClaimed,
  type QueueConfigured,
  QueueMode,
  ReleaseReason,
  type RequestAnswered,
  type TicketIssued,
} from "@usher/protocol/log";
import type { Fact } from "./log.ts";
import type { Tally } from "./tally.ts";

/** How long after a claim's time-out an answer may still come, in ms of T. */
const CLAIM_GRACE_MS = 5_000;

interface Ticket {
  readonly issuedWall_ms: number;
  /** In ms of T during which the queue was not paused. */
  issued_ms: number;
  /** The names that retries would bring: key and subject, where there are any. */
  readonly names: readonly string[];
  readonly digest: string;
  readonly stored: boolean;
  /** Of the last claim; 0 before the first. */
  attempt: number;
  /** Attempts before an operator had it tried again. */
  spent: number;
  /** The open claim. */
  claim: { readonly lapses_ms: number; readonly idempotent: boolean } | undefined;
  maybeDone: boolean;
  end: { readonly how: End; readonly at_ms: number } | undefined;
}

type End = "answered" | "failed" | "unknown" | "left" | "expired" | "completed";

export class QueueReport {
  #settings: QueueConfigured;
  /** T, and how much of it the queue was not paused. */
  #now_ms: number;
  #unpaused_ms = 0;
  #last = 0;
  /** Those that are live, or ended within the queue's `key_retention`. */
  readonly #tickets = new Map<number, Ticket>();
  readonly #names = new Map<string, number>();

  constructor(settings: QueueConfigured, now_ms: number) {
    this.#settings = settings;
    this.#now_ms = now_ms;
  }

  /** Time has passed. */
  tick(now_ms: number): void {
    if (this.#settings.mode !== QueueMode.PAUSED) this.#unpaused_ms += now_ms - this.#now_ms;
    this.#now_ms = now_ms;
  }

  /** Ends what nobody answered or claimed in time, and forgets what ended long ago. To be called once a minute. */
  sweep(wall_ms: number, tally: Tally): void {
    for (const [number, ticket] of this.#tickets) {
      this.#settle(ticket, wall_ms, tally);
      if (!this.#isForgotten(ticket)) continue;
      this.#tickets.delete(number);
      for (const name of ticket.names) if (this.#names.get(name) === number) this.#names.delete(name);
    }
  }

  apply({ kind, wall_ms }: Fact, tally: Tally): void {
    switch (kind.case) {
      case "queueConfigured":
        if (kind.value.revision === this.#settings.revision + 1) this.#settings = kind.value;
        break;
      case "ticketIssued":
        this.#issue(kind.value, wall_ms, tally);
        break;
      case "dispatchClaimed":
        this.#claim(kind.value, wall_ms, tally);
        break;
      case "claimReleased":
        this.#release(kind.value, wall_ms, tally);
        break;
      case "requestAnswered":
        this.#answer(kind.value, wall_ms, tally);
        break;
      case "requestRetried":
        this.#retry(kind.value.number);
        break;
      case "sessionExtended":
        this.#extend(kind.value.number);
        break;
      case "ticketLeft":
        this.#endByHand(kind.value.number, "left", wall_ms, tally);
        break;
      case "ticketCompleted":
        this.#endByHand(kind.value.number, "completed", wall_ms, tally);
    }
  }

  #issue(issue: TicketIssued, wall_ms: number, tally: Tally): void {
    const { keyHash, subjectHash, requestDigest, storedRequest: stored } = issue;
    const digest = hex(requestDigest);
    const names = [...(keyHash.length > 0 ? [`key ${hex(keyHash)}`] : [])];
    const holder = names.map((name) => this.#holder(name, wall_ms, tally)).find(Boolean);
    if (holder !== undefined) {
      if (holder.digest === digest) tally.again++;
      else tally.refused++;
      return;
    }
    if (subjectHash.length > 0) {
      const subject = `subject ${hex(subjectHash)}`;
      const live = this.#holder(subject, wall_ms, tally);
      if (live !== undefined && live.end === undefined) {
        tally.again++;
        return;
      }
      names.push(subject);
    }
    if (this.#settings.mode === QueueMode.CLOSED) {
      tally.refused++;
      return;
    }
    tally.tickets++;
    const number = ++this.#last;
    const fresh = { attempt: 0, spent: 0, claim: undefined, maybeDone: false, end: undefined };
    const issued = { issuedWall_ms: wall_ms, issued_ms: this.#unpaused_ms };
    this.#tickets.set(number, { ...fresh, ...issued, names, digest, stored });
    for (const name of names) this.#names.set(name, number);
  }

  /** Who has a ticket under this name. */
  #holder(name: string, wall_ms: number, tally: Tally): Ticket | undefined {
    const ticket = this.#ticket(this.#names.get(name) ?? 0, wall_ms, tally);
    return ticket === undefined || this.#isForgotten(ticket) ? undefined : ticket;
  }

  /** A ticket as it is now. */
  #ticket(number: number, wall_ms: number, tally: Tally): Ticket | undefined {
    const ticket = this.#tickets.get(number);
    if (ticket !== undefined) this.#settle(ticket, wall_ms, tally);
    return ticket;
  }

  #claim({ number, attempt, timeoutMs, idempotent }: DispatchClaimed, wall_ms: number, tally: Tally): void {
    const ticket = this.#ticket(number, wall_ms, tally);
    if (
      ticket === undefined ||
      ticket.end !== undefined ||
      ticket.claim !== undefined ||
      attempt !== ticket.attempt + 1
    )
      return;
    ticket.attempt = attempt;
    ticket.claim = { lapses_ms: this.#now_ms + timeoutMs + CLAIM_GRACE_MS, idempotent };
    if (attempt > 1) return;
    tally.claimed++;
    waited(ticket, wall_ms, tally);
  }

  #release({ number, attempt, reason }: ClaimReleased, wall_ms: number, tally: Tally): void {
    const ticket = this.#ticket(number, wall_ms, tally);
    if (ticket?.claim === undefined || ticket.attempt !== attempt) return;
    if (reason === ReleaseReason.LOST || reason === ReleaseReason.TIMED_OUT) ticket.maybeDone = true;
    if (reason === ReleaseReason.PAYLOAD_GONE) this.#giveUp(ticket, tally);
    else this.#giveBack(ticket, tally);
  }

  #answer({ number, attempt, status }: RequestAnswered, wall_ms: number, tally: Tally): void {
    const ticket = this.#ticket(number, wall_ms, tally);
    if (ticket === undefined) return;
    const open = ticket.claim !== undefined && ticket.attempt === attempt;
    if (!open && ticket.end?.how !== "unknown") return;
    tally.answered[Math.floor(status / 100)]!++;
    this.#end(ticket, "answered");
  }

  #retry(number: number): void {
    const ticket = this.#tickets.get(number);
    if (ticket?.end?.how !== "failed") return;
    ticket.end = undefined;
    ticket.spent = ticket.attempt;
    ticket.issued_ms = this.#unpaused_ms;
  }

  /** From here on it has a whole session once more, and never ends sooner than it would have. */
  #extend(number: number): void {
    const ticket = this.#tickets.get(number);
    if (ticket === undefined || ticket.stored) return;
    ticket.issued_ms = Math.max(ticket.issued_ms, this.#unpaused_ms - Number(this.#settings.maxWaitMs));
  }

  #endByHand(number: number, how: "left" | "completed", wall_ms: number, tally: Tally): void {
    const ticket = this.#ticket(number, wall_ms, tally);
    if (ticket === undefined || ticket.end !== undefined || ticket.claim !== undefined) return;
    if (how === "completed" && ticket.stored) return;
    tally[how]++;
    if (ticket.stored && ticket.attempt === 0) waited(ticket, wall_ms, tally);
    this.#end(ticket, how);
  }

  /** A claim that is over lapses; who has waited too long expires. */
  #settle(ticket: Ticket, wall_ms: number, tally: Tally): void {
    if (ticket.end !== undefined) return;
    if (ticket.claim !== undefined) {
      if (this.#now_ms < ticket.claim.lapses_ms) return;
      ticket.maybeDone = true;
      this.#giveBack(ticket, tally);
      return;
    }
    const { maxWaitMs, sessionMs } = this.#settings;
    const limit_ms = Number(maxWaitMs) + (ticket.stored ? 0 : Number(sessionMs));
    if (ticket.attempt > 0 || this.#unpaused_ms - ticket.issued_ms < limit_ms) return;
    tally.expired++;
    if (ticket.stored) waited(ticket, wall_ms, tally);
    this.#end(ticket, "expired");
  }

  /** To be claimed again, unless that might carry it out twice, or it was tried or has waited enough. */
  #giveBack(ticket: Ticket, tally: Tally): void {
    const tried = ticket.attempt - ticket.spent >= this.#settings.attempts;
    const late = this.#unpaused_ms - ticket.issued_ms >= Number(this.#settings.maxWaitMs);
    if (tried || late || (ticket.maybeDone && !ticket.claim?.idempotent)) this.#giveUp(ticket, tally);
    else ticket.claim = undefined;
  }

  #giveUp(ticket: Ticket, tally: Tally): void {
    const how = ticket.maybeDone ? "unknown" : "failed";
    tally[how]++;
    this.#end(ticket, how);
  }

  #end(ticket: Ticket, how: End): void {
    ticket.claim = undefined;
    ticket.end = { how, at_ms: this.#now_ms };
  }

  #isForgotten({ end }: Ticket): boolean {
    return end !== undefined && end.at_ms + Number(this.#settings.keyRetentionMs) <= this.#now_ms;
  }
}

function waited({ issuedWall_ms }: Ticket, wall_ms: number, tally: Tally): void {
  // Of two writers, one's clock may be behind the other's.
  tally.waits_ms.push(Math.max(0, wall_ms - issuedWall_ms));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
