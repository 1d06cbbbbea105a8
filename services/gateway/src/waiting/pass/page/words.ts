// What the waiting page says, in the languages that it speaks, and which of them a client wants.

export type Language = "en" | "ko";

/** How long the wait may be, in minutes: half of those who stand here wait no longer than `from`, nine of ten no longer
 * than `to`. */
interface Minutes {
  readonly from: number;
  readonly to: number;
}

export interface Words {
  readonly waiting: string;
  readonly turn: string;
  readonly left: string;
  readonly expired: string;
  readonly over: string;
  readonly place: string;
  readonly number: string;
  readonly ahead: string;
  readonly wait: string;
  readonly progress: string;
  readonly notice: string;
  readonly paused: string;
  readonly stale: string;
  readonly offline: string;
  /** What happens next: to a page that was asked for, and to a form that was sent. */
  readonly carriesOn: string;
  readonly notSent: string;
  readonly lookAgain: string;
  readonly turnNow: string;
  readonly sendAgain: string;
  readonly goOn: string;
  readonly stuck: string;
  readonly leave: string;
  readonly leaving: string;
  readonly anew: string;
  readonly unknown: string;
  /** Without scripts. */
  looksAgain(seconds: number): string;
  title(position: string): string;
  summary(position: string, estimate: string): string;
  minutes(wait: Minutes): string;
  readonly refused: Readonly<Record<Refusal, readonly [heading: string, text: string]>>;
}

/** Why somebody gets no place, as far as it makes a difference to them. */
export type Refusal = "closed" | "full" | "long" | "foreign" | "malformed" | "unavailable";

const en: Words = {
  waiting: "You are in line",
  turn: "It is your turn",
  left: "You have left the line",
  expired: "Your place has expired",
  over: "Your place in line has ended",
  place: "Your place",
  number: "Your number",
  ahead: "People ahead of you",
  wait: "Estimated wait",
  progress: "How far you have come",
  notice: "Notice",
  paused: "The line is paused. Nobody is let in at the moment, and you keep your place.",
  stale: "The line cannot be reached just now. This is your last known place, and you keep it.",
  offline: "There is no connection. Trying again…",
  carriesOn: "When it is your turn, this page goes on by itself. Keep it open.",
  notSent:
    "There is a line, so what you sent was not passed on: nothing was done with it. When it is your turn, go back and send it again.",
  lookAgain: "Look how the line goes",
  turnNow: "One moment: this page goes on by itself.",
  sendAgain: "Go back, and send it again.",
  goOn: "Go on",
  stuck:
    "Your browser did not let this page go on by itself. If it keeps no cookies from this site, allow them: without them your place cannot be kept.",
  leave: "Leave the line",
  leaving: "You would lose your place.",
  anew: "Take a new place",
  unknown: "not known yet",
  looksAgain: (seconds) =>
    seconds === 1 ? "This page looks again every second." : `This page looks again every ${seconds} seconds.`,
  title: (position) => `(${position}) You are in line`,
  summary: (position, estimate) => `Your place: ${position}. Estimated wait: ${estimate}.`,
  minutes: ({ from, to }) => {
    if (to <= 1) return "less than a minute";
    if (from === 0) return `up to ${to} minutes`;
    if (to > 90) return spread(hours(from), hours(to), " to ", (text) => `${text} hours`);
    return spread(`${from}`, `${to}`, " to ", (text) => `${text} minutes`);
  },
  refused: {
    closed: ["Closed for now", "Nobody new is let into the line at present. Please come back later."],
    full: ["The line is full", "There is no place left in the line just now. Please try again in a while."],
    long: ["The line is too long", "You would have to wait for too long just now. Please come back later."],
    foreign: [
      "Please open this site yourself",
      "Another site sent this, and nothing was done with it. Open this site in your browser, and try again from there.",
    ],
    malformed: [
      "This request cannot be taken",
      "Your browser sent something that cannot be right. Clear the cookies of this site, and try again.",
    ],
    unavailable: [
      "No places can be given out just now",
      "You did not lose anything: nothing was done with what you sent. Please try again in a moment.",
    ],
  },
};

const ko: Words = {
  waiting: "대기 중입니다",
  turn: "차례가 되었습니다",
  left: "대기를 취소했습니다",
  expired: "대기 시간이 지났습니다",
  over: "대기가 끝났습니다",
  place: "내 순서",
  number: "대기 번호",
  ahead: "앞에 있는 사람",
  wait: "예상 대기 시간",
  progress: "진행 정도",
  notice: "안내",
  paused: "대기열이 잠시 멈췄습니다. 지금은 아무도 입장하지 않으며, 순서는 그대로 유지됩니다.",
  stale: "지금은 대기열에 연결할 수 없습니다. 마지막으로 확인된 순서이며, 순서는 그대로 유지됩니다.",
  offline: "연결이 끊겼습니다. 다시 연결하는 중입니다…",
  carriesOn: "차례가 되면 이 페이지가 자동으로 넘어갑니다. 페이지를 열어 두세요.",
  notSent:
    "대기 중인 사람이 있어 보내신 내용은 전달되지 않았고, 아무것도 처리되지 않았습니다. 차례가 되면 뒤로 돌아가 다시 보내 주세요.",
  lookAgain: "내 순서 확인하기",
  turnNow: "잠시만 기다려 주세요. 자동으로 넘어갑니다.",
  sendAgain: "뒤로 돌아가 다시 보내 주세요.",
  goOn: "계속하기",
  stuck:
    "브라우저에서 자동으로 넘어가지 못했습니다. 이 사이트의 쿠키가 차단되어 있다면 허용해 주세요. 쿠키가 없으면 순서를 유지할 수 없습니다.",
  leave: "대기 취소",
  leaving: "취소하면 순서를 잃습니다.",
  anew: "다시 줄 서기",
  unknown: "아직 알 수 없음",
  looksAgain: (seconds) => `이 페이지는 ${seconds}초마다 새로 고쳐집니다.`,
  title: (position) => `(${position}) 대기 중입니다`,
  summary: (position, estimate) => `내 순서 ${position}번째, 예상 대기 시간 ${estimate}.`,
  minutes: ({ from, to }) => {
    if (to <= 1) return "1분 이내";
    if (from === 0) return `${to}분 이내`;
    if (to > 90) return spread(hours(from), hours(to), "~", (text) => `${text}시간`);
    return spread(`${from}`, `${to}`, "~", (text) => `${text}분`);
  },
  refused: {
    closed: ["지금은 입장할 수 없습니다", "현재 새로운 대기를 받지 않습니다. 나중에 다시 와 주세요."],
    full: ["대기열이 가득 찼습니다", "지금은 대기열에 자리가 없습니다. 잠시 후 다시 시도해 주세요."],
    long: ["대기 인원이 너무 많습니다", "지금은 너무 오래 기다려야 합니다. 나중에 다시 와 주세요."],
    foreign: [
      "이 사이트를 직접 열어 주세요",
      "다른 사이트에서 보낸 요청이라 처리하지 않았습니다. 브라우저에서 이 사이트를 직접 연 다음 다시 시도해 주세요.",
    ],
    malformed: [
      "요청을 받을 수 없습니다",
      "브라우저가 올바르지 않은 내용을 보냈습니다. 이 사이트의 쿠키를 지우고 다시 시도해 주세요.",
    ],
    unavailable: [
      "지금은 대기 번호를 드릴 수 없습니다",
      "보내신 내용은 처리되지 않았으며 잃은 것은 없습니다. 잠시 후 다시 시도해 주세요.",
    ],
  },
};

export const WORDS: Readonly<Record<Language, Words>> = { en, ko };

/** One figure where both are the same. */
function spread(from: string, to: string, between: string, unit: (text: string) => string): string {
  return unit(from === to ? to : `${from}${between}${to}`);
}

/** In halves. */
function hours(minutes: number): string {
  return `${Math.max(0.5, Math.round(minutes / 30) / 2)}`;
}

/** The language that a client likes best of those that the page speaks (RFC 9110, 12.5.4); English where it says
 * nothing of either. */
export function languageOf(accept: string | undefined): Language {
  let best: Language = "en";
  let most = 0;
  for (const part of (accept ?? "").split(",")) {
    const [range = "", ...parameters] = part
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/);
    const language = range.split("-", 1)[0];
    const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? "1";
    const quality = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight) : 0;
    if ((language !== "en" && language !== "ko") || quality <= most) continue;
    best = language;
    most = quality;
  }
  return best;
}
