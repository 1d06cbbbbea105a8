// The box office: a shop that a crowd brings down, and the proof that it need not.
//
//   shop/       the shop                    `node src/shop/main.ts`; its map is in `shop/shop.ts`
//   burst/      the crowd, the checker      `node src/burst/main.ts`; its map is there
//   page/       the shop with a page        `node src/page/main.ts`; its map is in `page/page.ts`
//   start.ts  start-kafka.ts  start/        `npm start`, `npm run start:kafka`
//   lines.ts    the two files that a burst leaves, line by line; line-file.ts writes them
//   clock.ts  random.ts  options.ts

export { type BurstResult, type BurstSettings, readEvidence, runBurst } from "./burst/burst.ts";
export { type Breach, judge, type Terms } from "./burst/checker/judge.ts";
export { check, type Evidence, type Limit, type Report } from "./burst/checker.ts";
export { type DemoResult, type DemoSettings, demonstrate } from "./burst/demo.ts";
export { type RunningTarget, shopItself, type Target, type TargetMaker } from "./burst/target.ts";
export { configuredLimit, UsherTarget } from "./burst/usher-target.ts";
export { type ShopSettings, shopDefaults } from "./shop/settings.ts";
export { Shop, type ShopPlace } from "./shop/shop.ts";
