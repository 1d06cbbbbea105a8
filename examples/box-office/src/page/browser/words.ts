// What the page says, in the browser's language: English or Korean.

const english = {
  heading: "{buyers} people want a seat at the same moment",
  lead: "This shop can sell 200 seats a second. What comes on top makes it slower, until most are turned away. Usher, a waiting room in front of it, lets in as many as it can take, and keeps the others’ places. Send the same crowd both ways at once.",
  send: "Send {buyers} buyers",
  sides: "The shop with Usher and without",
  without: "Without Usher",
  with: "With Usher",
  answered: "of {buyers} answered",
  failed: "failed",
  open: "no answer yet",
  lasted: "time taken",
  doubtful: "not known: sold or not",
  inFlight: "At the shop:",
  most: "at most",
  limit: "- - - 40 requests, all it can work on at once",
  waiting: "In line:",
  pace: "let in per second:",
  running: "On their way: {buyers} to each shop.",
  still: "Those of before are still there. They go home by themselves.",
  done: "All have gone home. Without Usher {direct} of {buyers} were answered, with Usher {usher}.",
  broken: "That did not work: {why}",
  noShop:
    "Neither the shop nor Usher can be reached: the network is gone, or the demo has been closed. This goes on by itself when they are back.",
  notSent: "Nobody was sent: the shop cannot be reached.",
  unreachable:
    "Usher cannot be reached just now. Places in line are kept, and this goes on by itself when it is back.",
  someNodes: "{there} of Usher’s {nodes} nodes can be reached. The line goes on there.",

  purchase: "Your own seat",
  purchaseLead:
    "Buy one while the crowd is there. The place is yours: reload the page, close it and come back, or lose the network, and it is still the same ticket.",
  buy: "Buy a seat",
  giveUp: "Give up the place",
  asking: "One moment: your request is on its way.",
  place: "Your place",
  estimate: "Likely wait: {range}",
  stale: "Usher cannot reach its log just now: this is the last place that it knew.",
  noEstimate: "How long it takes is not known yet.",
  ticket: "Ticket {number}",
  sending: "It is your turn: the shop has your request.",
  seat: "Seat {seat} is yours",
  bought: "Purchase {purchase}.",
  soldOut: "Sold out",
  soldOutWhy: "The shop has no seat left.",
  refused: "No seat this time",
  closed: "The line takes no newcomers just now.",
  full: "The line is as long as it may be.",
  forgotten: "Usher does not know this place any more: the demo has begun anew. Press again.",
  unreached: "There was no answer",
  sameRequest: "Press again: it is the same request, and is carried out once.",
  unknown: "It may have been sold, or not",
  left: "You have given up your place",
  heard: "Place {place}. {estimate}",

  backstage: "Backstage",
  backstageLead:
    "Here people wait, and not requests, and there is room for one at a time. Open this page in a second tab: both are one person, with one ticket. In a private window you are somebody else, and wait.",
  enter: "Go backstage",
  leaveLine: "Leave the line",
  comeOut: "Come out again",
  notIn: "You are not let in",
  sameVisitor: "Press again: you are the same visitor, with the same ticket.",
  stillIn: "Nobody heard that you want to come out. Press again.",
  inside: "You are backstage",
  insideWhy: "The room is yours for ten minutes, or until you come out.",
  out: "You are out again",
  outWhy: "The room is free for the next.",
};

export type Word = keyof typeof english;

const korean: Readonly<Record<Word, string>> = {
  heading: "{buyers}명이 같은 순간에 좌석을 원합니다",
  lead: "이 상점은 1초에 좌석 200개를 팔 수 있습니다. 그보다 많이 몰리면 점점 느려져 대부분 발길을 돌리게 됩니다. Usher는 상점 앞의 대기실입니다. 상점이 감당하는 만큼만 들여보내고, 나머지는 순서를 지켜 줍니다. 똑같은 구매자들을 같은 순간에 두 길로 보내 보세요.",
  send: "구매자 {buyers}명 보내기",
  sides: "Usher가 있을 때와 없을 때의 상점",
  without: "Usher 없이",
  with: "Usher와 함께",
  answered: "명이 응답 받음 (전체 {buyers}명)",
  failed: "실패",
  open: "아직 응답 없음",
  lasted: "걸린 시간",
  doubtful: "팔렸는지 알 수 없음",
  inFlight: "상점에 있는 요청:",
  most: "최대",
  limit: "- - - 한 번에 처리할 수 있는 요청 40건",
  waiting: "대기 중:",
  pace: "초당 입장:",
  running: "상점마다 {buyers}명이 가고 있습니다.",
  still: "앞서 보낸 구매자들이 아직 있습니다. 때가 되면 스스로 돌아갑니다.",
  done: "모두 돌아갔습니다. {buyers}명 가운데 Usher 없이는 {direct}명, Usher와 함께는 {usher}명이 응답을 받았습니다.",
  broken: "잘되지 않았습니다: {why}",
  noShop:
    "상점에도 Usher에도 연결되지 않습니다. 네트워크가 끊겼거나 데모가 닫혔습니다. 다시 연결되면 저절로 이어집니다.",
  notSent: "상점에 연결되지 않아 아무도 보내지 못했습니다.",
  unreachable: "지금은 Usher에 연결되지 않습니다. 대기 순서는 그대로이며, 다시 연결되면 저절로 이어집니다.",
  someNodes: "Usher 노드 {nodes}개 가운데 {there}개에 연결됩니다. 줄은 그대로 이어집니다.",

  purchase: "내 좌석",
  purchaseLead:
    "구매자들이 몰려 있을 때 하나 사 보세요. 새로 고치거나, 닫았다가 다시 오거나, 네트워크가 끊겨도 순서와 대기 번호는 그대로입니다.",
  buy: "좌석 사기",
  giveUp: "대기 취소",
  asking: "잠시만요. 요청을 보내고 있습니다.",
  place: "내 순서",
  estimate: "예상 대기: {range}",
  stale: "지금은 Usher가 기록에 닿지 못합니다. 마지막으로 알던 순서입니다.",
  noEstimate: "얼마나 걸릴지 아직 알 수 없습니다.",
  ticket: "대기 번호 {number}번",
  sending: "차례가 되었습니다. 상점이 요청을 받았습니다.",
  seat: "{seat}번 좌석을 샀습니다",
  bought: "구매 번호 {purchase}.",
  soldOut: "매진되었습니다",
  soldOutWhy: "남은 좌석이 없습니다.",
  refused: "이번에는 사지 못했습니다",
  closed: "지금은 새로 줄을 설 수 없습니다.",
  full: "줄이 가득 찼습니다.",
  forgotten: "Usher가 더는 이 자리를 알지 못합니다. 데모가 새로 시작되었습니다. 다시 눌러 주세요.",
  unreached: "응답이 없었습니다",
  sameRequest: "다시 눌러 주세요. 같은 요청이므로 한 번만 처리됩니다.",
  unknown: "팔렸을 수도, 아닐 수도 있습니다",
  left: "대기를 취소했습니다",
  heard: "{place}번째 순서입니다. {estimate}",

  backstage: "무대 뒤",
  backstageLead:
    "여기서는 요청이 아니라 사람이 기다리며, 한 번에 한 명만 들어갑니다. 이 페이지를 다른 탭에서 열어 보세요. 두 탭은 대기 번호 하나를 가진 한 사람입니다. 시크릿 창에서는 다른 사람이 되어 기다립니다.",
  enter: "무대 뒤로 가기",
  leaveLine: "대기 취소",
  comeOut: "다시 나오기",
  notIn: "들어가지 못했습니다",
  sameVisitor: "다시 눌러 주세요. 같은 사람이며 대기 번호도 같습니다.",
  stillIn: "나온다는 말이 전해지지 않았습니다. 다시 눌러 주세요.",
  inside: "무대 뒤에 들어왔습니다",
  insideWhy: "10분 동안, 또는 나올 때까지 자리는 당신의 것입니다.",
  out: "다시 나왔습니다",
  outWhy: "다음 사람에게 자리가 났습니다.",
};

/** The language of the two that the browser's user has named first; English where it is neither. */
export const language = firstOf(navigator.languages);

function firstOf(languages: readonly string[]): "ko" | "en" {
  for (const language of languages) {
    const [name] = language.split("-");
    if (name === "ko" || name === "en") return name;
  }
  return "en";
}

const words = language === "ko" ? korean : english;
const numbers = new Intl.NumberFormat(language);

/** The words, with what stands in `{}` filled in. */
export function say(word: Word, filling: Readonly<Record<string, string | number>> = {}): string {
  return words[word].replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = filling[name] ?? "";
    return typeof value === "number" ? count(value) : value;
  });
}

export function count(value: number): string {
  return numbers.format(value);
}

/** From one duration to another, as people say it. */
export function durations(from_ms: number, to_ms: number): string {
  const [unit, unit_ms] = to_ms < 100_000 ? (["second", 1_000] as const) : (["minute", 60_000] as const);
  const [from = 1, to = 1] = [from_ms, to_ms].map((ms) => Math.max(1, Math.round(ms / unit_ms)));
  const format = new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" });
  return from === to ? format.format(to) : format.formatRange(from, to);
}

/** A whole number of seconds, in short. */
export function seconds(ms: number): string {
  const options = { style: "unit", unit: "second", unitDisplay: "narrow" } as const;
  return new Intl.NumberFormat(language, options).format(Math.round(ms / 1000));
}
