// PromQL, as far as a test needs it to see that an expression is one, and which metrics and labels it names
// (prometheus.io/docs/prometheus/latest/querying/basics). It knows the language's words and brackets, not its types.

export interface Named {
  readonly metrics: ReadonlySet<string>;
  /** Those that a selector, `by` or `on` names. */
  readonly labels: ReadonlySet<string>;
}

const TOKEN =
  /\s*(?:(?<text>"(?:[^"\\]|\\.)*")|(?<duration>\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*)|(?<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?<name>[a-zA-Z_:][\w:]*)|(?<sign>=~|!~|==|!=|<=|>=|[-+*/%^<>=(){}[\],]))/y;

const FUNCTIONS = new Set([
  "rate",
  "irate",
  "increase",
  "changes",
  "histogram_quantile",
  "predict_linear",
  "deriv",
]);
const AGGREGATIONS = new Set(["sum", "max", "min", "avg", "count", "topk"]);
const SETS = new Set(["and", "or", "unless"]);
/** They take a list of labels in brackets. */
const LISTS = new Set(["by", "without", "on", "ignoring", "group_left", "group_right"]);
const WORDS = new Set([...FUNCTIONS, ...AGGREGATIONS, ...SETS, ...LISTS, "bool", "offset"]);

const CLOSING: Readonly<Record<string, string>> = { "(": ")", "{": "}", "[": "]" };

interface Token {
  readonly kind: "text" | "duration" | "number" | "name" | "sign";
  readonly text: string;
}

/** Throws where it is no expression. */
export function readPromql(expression: string): Named {
  const tokens = tokensOf(expression.trim());
  checkBrackets(tokens);
  checkOrder(tokens);
  const metrics = new Set<string>();
  const labels = new Set<string>();
  let within: "expression" | "labels" | "selector" = "expression";
  for (const [at, { kind, text }] of tokens.entries()) {
    const next = tokens[at + 1]?.text;
    if (kind === "name") {
      if (within !== "expression") labels.add(text);
      else if (LISTS.has(text) && next === "(") within = "labels";
      else if (FUNCTIONS.has(text) && next !== "(") throw new Error(`${text} is a function: ${text}(…)`);
      else if (!WORDS.has(text)) {
        if (next === "(") throw new Error(`${text} is no function that is known here`);
        metrics.add(text);
      }
    } else if (text === "{") within = "selector";
    else if ((text === "}" && within === "selector") || (text === ")" && within === "labels"))
      within = "expression";
  }
  if (metrics.size === 0) throw new Error("it names no metric");
  return { metrics, labels };
}

function tokensOf(expression: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < expression.length) {
    const at = TOKEN.lastIndex;
    const groups = TOKEN.exec(expression)?.groups;
    const [kind, text] = Object.entries(groups ?? {}).find(([, text]) => text !== undefined) ?? [];
    if (kind === undefined || text === undefined)
      throw new Error(`cannot be read from here: ${expression.slice(at)}`);
    tokens.push({ kind: kind as Token["kind"], text });
  }
  return tokens;
}

function checkBrackets(tokens: readonly Token[]): void {
  const open: string[] = [];
  for (const { kind, text } of tokens) {
    if (kind !== "sign") continue;
    const closing = CLOSING[text];
    if (closing !== undefined) open.push(closing);
    else if (Object.values(CLOSING).includes(text) && open.pop() !== text)
      throw new Error(`${text} closes nothing`);
  }
  if (open.length > 0) throw new Error(`${open.at(-1)} is missing`);
}

/** Two operands stand beside each other with an operator between them, and an operator has one on both sides. */
function checkOrder(tokens: readonly Token[]): void {
  const isOperator = ({ kind, text }: Token): boolean =>
    (kind === "sign" && /^(=~|!~|==|!=|<=|>=|[-+*/%^<>=,])$/.test(text)) || SETS.has(text);
  for (const [at, token] of tokens.entries()) {
    const next = tokens[at + 1];
    if (isOperator(token) && (at === 0 || next === undefined || isOperator(next)))
      throw new Error(`${token.text} has nothing to go between`);
    const operand = token.kind !== "sign" && !WORDS.has(token.text);
    if (
      operand &&
      next !== undefined &&
      next.kind !== "sign" &&
      !SETS.has(next.text) &&
      next.text !== "offset"
    )
      throw new Error(`between ${token.text} and ${next.text} there is no operator`);
  }
}
