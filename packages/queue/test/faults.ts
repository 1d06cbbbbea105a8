// Faults that somebody could build into the model, and what must notice each of them: a named invariant, or the
// comparison with the naive reference. The texts to replace are the shipped ones.

import type { Change } from "../../../test/support/planted.ts";
import type { InvariantName } from "./invariants.ts";

export interface Fault extends Change {
  /** What the model does with it. */
  readonly does: string;
  readonly caughtBy: InvariantName | "reference";
}

export const FAULTS: readonly Fault[] = [
  // ── Identity ──────────────────────────────────────────────────────────────────────────────────────────────────
  {
    does: "tells every fifth the number of the one before",
    caughtBy: "I1",
    file: "queue.ts",
    find: 'return { kind: "issued", number, existing: false };',
    replace: 'return { kind: "issued", number: number % 5 === 0 ? number - 1 : number, existing: false };',
  },
  {
    does: "forgets which session wrote a ticket",
    caughtBy: "I1",
    file: "segment.ts",
    find: "this.writer[slot] = at >= 0 ? at : this.writers.push(session) - 1;",
    replace: "if (at < 0) this.writers.push(session);",
  },
  {
    does: "skips a number",
    caughtBy: "I6",
    file: "tickets.ts",
    find: "const number = ++this.#last;",
    replace: "const number = (this.#last += this.#last === 3 ? 2 : 1);",
  },
  {
    does: "forgets keys at half their time",
    caughtBy: "I3",
    file: "queue.ts",
    find: "this.#state.now_ms - this.settings.key_retention_ms",
    replace: "this.#state.now_ms - this.settings.key_retention_ms / 2",
  },
  {
    does: "takes another request under a key for the same one",
    caughtBy: "I3",
    file: "tickets.ts",
    find: "return stored[at] === digest[0] && stored[at + 1] === digest[1];",
    replace: "return stored[at] === digest[0] || stored[at + 1] !== digest[1];",
  },
  {
    does: "gives a subject a second live ticket",
    caughtBy: "I3",
    file: "queue.ts",
    find: "subject === undefined ? 0 : this.#tickets.bySubject(subject)",
    replace: "subject === undefined ? 0 : 0",
  },
  {
    does: "takes the subject from whoever is admitted",
    caughtBy: "I3",
    file: "tickets.ts",
    find: 'this.#setStage(number, "admitted");',
    replace:
      'this.#setStage(number, "admitted"); if ((this.#flags(number) & HAS_SUBJECT) !== 0) this.#subjects.delete(number);',
  },
  {
    does: "lets a second genesis count",
    caughtBy: "I5",
    file: "fold.ts",
    find: 'if (event.kind === "genesis") return ignored("second_genesis");',
    replace: 'if (event.kind === "genesis") return this.#begin(event);',
  },
  {
    does: "empties the budget for a ticket that it then refuses",
    caughtBy: "I4",
    file: "queue.ts",
    find: "if (this.refusal !== undefined) return refused(this.refusal);",
    replace: "this.#admission.emptyBudget(); if (this.refusal !== undefined) return refused(this.refusal);",
  },
  {
    does: "lets somebody leave while saying that they cannot",
    caughtBy: "I4",
    file: "queue.ts",
    find: 'if (this.#active.get(event.number)?.claim !== undefined) return refused("claimed");',
    replace:
      'if (this.#active.get(event.number)?.claim !== undefined) { this.#state.end(event.number, "left", stamp.wall_ms); return refused("claimed"); }',
  },

  // ── Order ─────────────────────────────────────────────────────────────────────────────────────────────────────
  {
    does: "admits the last comer of a word first",
    caughtBy: "I7",
    file: "line.ts",
    find: "const lowest = 31 - Math.clz32(bits[word]! & -bits[word]!);",
    replace: "const lowest = 31 - Math.clz32(bits[word]!);",
  },
  {
    does: "admits somebody by number who has ended",
    caughtBy: "I8",
    file: "admission.ts",
    find: 'if (this.#state.tickets.stage(number) !== "waiting" || !this.#hasRoom()) return [];',
    replace: "if (!this.#hasRoom()) return [];",
  },
  {
    does: "completes a ticket that has ended already",
    caughtBy: "I8",
    file: "queue.ts",
    find: 'return refused("not_admitted");\n      case "admitted":',
    replace: 'return refused("not_admitted");\n      case "left":\n      case "admitted":',
  },
  {
    does: "counts everybody behind as ahead when the line gets even",
    caughtBy: "I11",
    file: "tickets.ts",
    find: "return this.#line.ahead(number) + 1;",
    replace: "return this.#line.ahead(number) + (this.waiting % 2 === 0 ? 1 : 2);",
  },
  {
    does: "shows the front of the line as admitted",
    caughtBy: "I12",
    file: "tickets.ts",
    find: "return this.#line.ahead(number) + 1;",
    replace: "return this.#line.ahead(number);",
  },
  {
    does: "shows place 0 after the end",
    caughtBy: "I12",
    file: "ticket.ts",
    find: 'stage === "admitted" ? 0 : undefined',
    replace: 'stage === "waiting" ? undefined : 0',
  },
  {
    does: "is off by one place after somebody left in an earlier segment",
    caughtBy: "reference",
    file: "line.ts",
    find: "tree[at]! += by;",
    replace: "if (by === 1 || number % 2 === 0) tree[at]! += by;",
  },

  // ── Limits ────────────────────────────────────────────────────────────────────────────────────────────────────
  {
    does: "admits one more than there is room for",
    caughtBy: "I9",
    file: "admission.ts",
    find: "active.size < settings.max_active;",
    replace: "active.size <= settings.max_active;",
  },
  {
    does: "obeys max_active in Admit only for the first",
    caughtBy: "I9",
    file: "admission.ts",
    find: "while (numbers.length < count && this.#hasRoom() && tickets.waiting > 0) {",
    replace:
      "while (numbers.length < count && (numbers.length > 0 || this.#hasRoom()) && tickets.waiting > 0) {",
  },
  {
    does: "saves up more than a burst",
    caughtBy: "I10",
    file: "budget.ts",
    find: "this.#millionths = Math.min(this.#burst, this.#millionths + this.#rate_thousandths * elapsed_ms);",
    replace: "this.#millionths += this.#rate_thousandths * elapsed_ms;",
  },
  {
    does: "begins every burst anew with a change of limits",
    caughtBy: "I10",
    file: "budget.ts",
    find: "this.#millionths = Math.min(this.#millionths, this.#burst);",
    replace: "this.#millionths = this.#burst;",
  },
  {
    does: "frees a slot twice when an unknown request is answered after all",
    caughtBy: "I16",
    file: "requests.ts",
    find: 'this.#state.tell("settled", number);',
    replace:
      'for (const other of this.#state.active.values()) { this.#state.active.delete(other.number); break; }\n    this.#state.tell("settled", number);',
  },
  {
    does: "never frees the slot of one who leaves",
    caughtBy: "I16",
    file: "state.ts",
    find: "this.active.delete(number);",
    replace: 'if (stage !== "left") this.active.delete(number);',
  },
  {
    does: "does not admit the next when a slot is freed",
    caughtBy: "I17",
    file: "queue.ts",
    find: 'if (outcome.kind !== "ignored") this.#admission.admit(stamp.wall_ms);',
    replace: 'if (outcome.kind === "issued") this.#admission.admit(stamp.wall_ms);',
  },
  {
    does: "refills nothing while it is open",
    caughtBy: "I17",
    file: "admission.ts",
    find: "if (!this.#firstTick && !unspent)",
    replace: 'if (!this.#firstTick && !unspent && settings.mode !== "open")',
  },

  // ── Stored requests ───────────────────────────────────────────────────────────────────────────────────────────
  {
    does: "sends a request again that was lost on its way",
    caughtBy: "I13",
    file: "requests.ts",
    find: 'if (event.reason === "lost" || event.reason === "timed_out") active.maybeDone = true;',
    replace: 'if (event.reason === "timed_out") active.maybeDone = true;',
  },
  {
    does: "sends a request again whose claim lapsed",
    caughtBy: "I13",
    file: "requests.ts",
    find: "active.maybeDone = true;\n    this.#retryOrGiveUp",
    replace: "this.#retryOrGiveUp",
  },
  {
    does: "calls failed what may have been done",
    caughtBy: "I13",
    file: "requests.ts",
    find: 'active.maybeDone ? "unknown" : "failed"',
    replace: '"failed"',
  },
  {
    does: "lets a backend complete a stored request that nobody answered",
    caughtBy: "I14",
    file: "queue.ts",
    find: 'if (this.#tickets.hasRequest(event.number)) return refused("stored_request");',
    replace: "",
  },
  {
    does: "takes the answer to a claim that was given back",
    caughtBy: "reference",
    file: "requests.ts",
    find: "return active?.claim !== undefined && active.attempt === attempt ? active : undefined;",
    replace: "return active?.attempt === attempt ? active : undefined;",
  },
  {
    does: "takes any attempt for the next",
    caughtBy: "reference",
    file: "requests.ts",
    find: "event.attempt !== active.attempt + 1 || ",
    replace: "",
  },
  {
    does: "lets a request be claimed before its time",
    caughtBy: "reference",
    file: "requests.ts",
    find: "event.attempt !== active.attempt + 1 || now_ms < active.notBefore_ms",
    replace: "event.attempt !== active.attempt + 1",
  },
  {
    does: "lets claims lapse without the five seconds of grace",
    caughtBy: "reference",
    file: "requests.ts",
    find: "now_ms + event.timeout_ms + CLAIM_GRACE_MS",
    replace: "now_ms + event.timeout_ms",
  },
  {
    does: "tries a request once more than it should",
    caughtBy: "reference",
    file: "requests.ts",
    find: "active.attempt >= settings.attempts",
    replace: "active.attempt > settings.attempts",
  },
  {
    does: "keeps a request for ever that nobody can send",
    caughtBy: "reference",
    file: "queue.ts",
    find: "this.#requests.failStuck(wall_ms);",
    replace: "",
  },

  // ── The log ───────────────────────────────────────────────────────────────────────────────────────────────────
  {
    does: "lets a record count twice",
    caughtBy: "reference",
    file: "sessions.ts",
    find: "if (sequence <= session.sequence) return false;",
    replace: "",
  },
  {
    does: "lets a closed session write",
    caughtBy: "reference",
    file: "sessions.ts",
    find: "return this.#byId.get(id)?.closed === false;",
    replace: "return this.#byId.has(id);",
  },
  {
    does: "opens a session after its successor",
    caughtBy: "reference",
    file: "sessions.ts",
    find: "else if (former !== 0n) this.#keep(former",
    replace: "else if (former === 0n) this.#keep(former",
  },
  {
    does: "forgets sessions after half an hour",
    caughtBy: "reference",
    file: "sessions.ts",
    find: "now_ms - session.heard_ms >= SESSION_SILENCE_MS",
    replace: "now_ms - session.heard_ms >= SESSION_SILENCE_MS / 2",
  },
  {
    does: "counts the ticks of an old term",
    caughtBy: "reference",
    file: "fold.ts",
    find: "if (term !== this.#term || record.session !== this.#timekeeper) return",
    replace: "if (record.session !== this.#timekeeper) return",
  },
  {
    does: "counts the ticks of whoever is not the timekeeper",
    caughtBy: "reference",
    file: "fold.ts",
    find: "if (term !== this.#term || record.session !== this.#timekeeper) return",
    replace: "if (term !== this.#term) return",
  },
  {
    does: "lets time leap",
    caughtBy: "reference",
    file: "fold.ts",
    find: "Math.min(TICK_MAX_MS, elapsed_ms)",
    replace: "elapsed_ms",
  },
  {
    does: "counts the time before a term's first tick",
    caughtBy: "reference",
    file: "fold.ts",
    find: "this.#termBegins = true;",
    replace: "",
  },
  {
    does: "lets a new timekeeper spend what the former saved up",
    caughtBy: "reference",
    file: "fold.ts",
    find: "for (const queue of this.#queues.values()) queue.emptyBudget();",
    replace: "",
  },

  // ── Rules ─────────────────────────────────────────────────────────────────────────────────────────────────────
  {
    does: "refills on the first tick after somebody began to wait",
    caughtBy: "reference",
    file: "admission.ts",
    find: "this.#firstTick = true;",
    replace: "",
  },
  {
    does: "leaves the bucket full for whoever begins to wait",
    caughtBy: "reference",
    file: "admission.ts",
    find: "this.#budget.empty();\n    this.#firstTick = true;",
    replace: "this.#firstTick = true;",
  },
  {
    does: "admits while it is paused",
    caughtBy: "reference",
    file: "admission.ts",
    find: 'if (settings.mode === "paused") return;',
    replace: "",
  },
  {
    does: "lets people's waiting time run out while it is paused",
    caughtBy: "reference",
    file: "state.ts",
    find: 'if (this.settings.mode !== "paused") this.#waited_ms',
    replace: "this.#waited_ms",
  },
  {
    does: "takes newcomers when it is closed",
    caughtBy: "reference",
    file: "queue.ts",
    find: 'if (this.settings.mode === "closed") return "closed";',
    replace: "",
  },
  {
    does: "does not count remembered tickets towards max_waiting",
    caughtBy: "reference",
    file: "queue.ts",
    find: "const held = this.#tickets.waiting + this.remembered;",
    replace: "const held = this.#tickets.waiting;",
  },
  {
    does: "admits again for an Admit that is only repeated",
    caughtBy: "reference",
    file: "admission.ts",
    find: "this.#requests.add(request_id,",
    replace: 'this.#requests.add("",',
  },
  {
    does: "takes another Admit under a request id for the same one",
    caughtBy: "reference",
    file: "admission.ts",
    find: 'if (!AdmitRequests.same(known.who, who)) return refused("key_reused");',
    replace: "",
  },
  {
    does: "ends a pass's slot with the pass",
    caughtBy: "reference",
    file: "admission.ts",
    find: 'settings.kind === "pass" ? PASS_GRACE_MS : 0',
    replace: "0",
  },
  {
    does: "takes a configuration that was made against an older one",
    caughtBy: "reference",
    file: "queue.ts",
    find: "if (revision !== this.#revision + 1)",
    replace: "if (revision > this.#revision + 1)",
  },
  {
    does: "lets go of a segment in which nobody waits",
    caughtBy: "reference",
    file: "line.ts",
    find: "segment.present > 0 || segment.used < SEGMENT_TICKETS",
    replace: "segment.waiting.some((word) => word !== 0) || segment.used < 4",
  },
  {
    does: "counts time by how much any fold of this process has ticked",
    caughtBy: "I18",
    file: "state.ts",
    find: "const elapsed_ms = now_ms - this.#now_ms;",
    replace:
      "QueueState.ticks = (QueueState.ticks ?? 0) + 1;\n    const elapsed_ms = now_ms - this.#now_ms + (QueueState.ticks % 7 === 0 ? 1 : 0);",
  },
  {
    does: "counts what is only looked at",
    caughtBy: "I18",
    file: "queue.ts",
    find: "return viewOf(number, this.#tickets, this.#active);",
    replace: "this.#admission.beginToWait();\n    return viewOf(number, this.#tickets, this.#active);",
  },
];
