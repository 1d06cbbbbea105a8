// The client's README and reference, as one reads them: every link leads somewhere, and the README's tables of options
// have every option.

import { readdir, readFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { ROOT, SDK } from "../../scripts/sdk/build.ts";

/** By their paths in the package. */
const pages = new Map<string, string>();

beforeAll(async () => {
  const names = await readdir(join(ROOT, SDK, "reference"));
  for (const path of ["README.md", ...names.map((name) => posix.join("reference", name))])
    pages.set(path, await readFile(join(ROOT, SDK, path), "utf8"));
});

/** What the headings of a page are found by. */
function anchorsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^##? +(.+)$/gm)].map(([, title = ""]) => title);
  return new Set(headings.map((title) => title.toLowerCase().replaceAll(" ", "-")));
}

function deadLinks(path: string, text: string): string[] {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
  return links.filter((link) => {
    const [file = "", anchor] = link.split("#");
    const target = pages.get(file === "" ? path : posix.join(posix.dirname(path), file));
    return target === undefined || (anchor !== undefined && !anchorsOf(target).has(anchor));
  });
}

test("every link leads to a page and a heading that are there", () => {
  expect(pages.size).toBeGreaterThan(3);
  for (const [path, text] of pages) expect(deadLinks(path, text), path).toEqual([]);
  const planted = "[one](reference/index.md#status) [two](reference/none.md) [three](#no-such-heading)";
  expect(deadLinks("README.md", planted)).toEqual(["reference/none.md", "#no-such-heading"]);
});

test("no page has two headings of one name", () => {
  for (const [path, text] of pages)
    expect(anchorsOf(text).size, path).toBe([...text.matchAll(/^##? /gm)].length);
});

/** The names of the options of an interface, from its section of a page. */
function optionsOf(page: string, name: string): string[] {
  const section =
    pages
      .get(page)
      ?.split(/^## /m)
      .find((one) => one.startsWith(`${name}\n`)) ?? "";
  return [...section.matchAll(/^- `(\w+)\??[:(]/gm)].map(([, option = ""]) => option);
}

test.each([
  ["createClient", "reference/index.md", ["ClientOptions", "GrpcOptions", "TryOptions"]],
  ["createClient", "reference/web.md", ["ClientOptions", "PosterOptions", "TryOptions"]],
  ["issue", "reference/index.md", ["IssueOptions", "CallOptions"]],
  ["createFetch", "reference/web.md", ["FetchOptions"]],
  ["work", "reference/index.md", ["WorkOptions", "AdmissionsOptions"]],
  ["createGuard", "reference/guard.md", ["GuardOptions", "PassTerms"]],
])("the README tells of every option of %s that %s has", (name, page, interfaces) => {
  const options = interfaces.flatMap((one) => optionsOf(page, one));
  const tables = (pages.get("README.md") ?? "").split(/\n\n/);
  const table = tables.find((one) => new RegExp(`^\\| option .*\\| of \`${name}\``).test(one)) ?? "";
  const told = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, option = ""]) => option);
  expect(options.length).toBeGreaterThan(interfaces.length);
  expect(told).toEqual(expect.arrayContaining(options));
});
