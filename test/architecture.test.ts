import { posix } from "node:path";
import { expect, test } from "vitest";
import { filesPerFolder, functionsOf, upwardImports } from "./structure/measure.ts";
import { rooms } from "./structure/rooms.ts";
import { parseSource, readSources } from "./structure/sources.ts";

/** What each layer may import from, besides packages. */
const mayImport: Record<string, string[]> = {
  shared: ["shared"],
  producers: ["producers", "shared"],
  workers: ["workers", "shared"],
  entry: ["entry", "producers", "workers", "shared"],
};

const layers = Object.keys(rooms);

/** Path from the top (with slashes) → text. */
type Sources = Map<string, string>;

const sourcesOf = (directories: readonly string[]): Sources =>
  new Map(readSources(directories).map(({ path, text }) => [path, text]));

/** The project's files that a file imports, type-only imports included. */
function importsOf(path: string, text: string): string[] {
  return parseSource(path, text)
    .imports.map(({ from }) => from)
    .filter((from) => [...layers, "test", "scripts", "dist"].includes(layerOf(from)));
}

function layerOf(path: string): string {
  return path.split("/")[0] ?? "";
}

function breaches(sources: Sources): string[] {
  return [...sources].flatMap(([path, text]) =>
    importsOf(path, text)
      .filter((imported) => !mayImport[layerOf(path)]?.includes(layerOf(imported)))
      .map((imported) => `${path} imports ${imported}`),
  );
}

/** One line for each import that closes a circle, as `a.ts > b.ts > a.ts`. */
function cycles(sources: Sources): string[] {
  const found: string[] = [];
  const finished = new Set<string>();
  const visit = (path: string, trail: string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push([...trail.slice(start), path].join(" > "));
    if (start >= 0 || finished.has(path)) return;
    for (const imported of importsOf(path, sources.get(path) ?? "")) visit(imported, [...trail, path]);
    finished.add(path);
  };
  for (const path of sources.keys()) visit(path, []);
  return found;
}

test("producers and workers import shared but never each other, and shared imports neither", () => {
  const sources = sourcesOf(layers);
  expect(sources.size).toBeGreaterThan(0);
  expect(breaches(sources)).toEqual([]);
});

test("every file is in a room of the plan, and no room imports from one beside it or later in the plan", () => {
  const sources = sourcesOf(layers);
  const planned = new Set(Object.values(rooms).flat(2));
  expect([...sources.keys()].map((path) => posix.dirname(path)).filter((room) => !planned.has(room))).toEqual(
    [],
  );
  expect(upwardImports(readSources(layers))).toEqual([]);
});

test("no folder has more than 16 files of its own", () => {
  const folders = [...filesPerFolder(readSources(layers))];
  expect(folders.filter(([, files]) => files > 16)).toEqual([]);
});

test("tests enter by three doors: from test/, a test imports area.ts, queue.ts, hosts.ts and files beside it", () => {
  const doors = ["area", "queue", "hosts"].map((name) => `test/support/${name}.ts`);
  // Support files test one another.
  const tests = readSources(["test"]).filter(
    ({ path }) => path.endsWith(".test.ts") && !path.startsWith("test/support/"),
  );
  expect(tests.length).toBeGreaterThan(0);
  const around = tests.flatMap(({ path, imports }) =>
    imports
      .filter(({ from }) => from.startsWith("test/") && !doors.includes(from))
      // test/structure reads the source text; it is a program, as npm run structure.
      .filter(
        ({ from }) => posix.dirname(from) !== posix.dirname(path) && !from.startsWith("test/structure/"),
      )
      .map(({ from }) => `${path} imports ${from}`),
  );
  expect(around).toEqual([]);
});

test("no source file imports itself by way of others", () => {
  expect(cycles(sourcesOf(layers))).toEqual([]);
});

test("what only one side uses is not in shared", () => {
  const sources = sourcesOf(layers);
  const reach = (layer: string) => {
    const seen = new Set<string>();
    const open = [...sources.keys()].filter((path) => layerOf(path) === layer);
    for (let path = open.pop(); path !== undefined; path = open.pop()) {
      if (seen.has(path)) continue;
      seen.add(path);
      open.push(...importsOf(path, sources.get(path) ?? ""));
    }
    return seen;
  };
  const entry = [...sources].filter(([path]) => layerOf(path) === "entry");
  const sides = [
    reach("producers"),
    reach("workers"),
    new Set(entry.flatMap(([path, text]) => importsOf(path, text))),
  ];
  const shared = [...sources.keys()].filter((path) => layerOf(path) === "shared");
  expect(shared.filter((path) => sides.filter((side) => side.has(path)).length < 2)).toEqual([]);
});

test("Redis and SQLite do not meet: what reads an area's databases loads no queue, and the other way round", () => {
  const sources = sourcesOf(layers);
  const of = (pattern: RegExp) => [...sources.keys()].filter((path) => pattern.test(path));
  for (const path of of(/^workers\/(?:area-db|records|move|migrate|job-thread)\//))
    expect([
      path,
      loadedBy(path, sources).filter((name) => /^(?:bullmq|ioredis|redlock)$/.test(name)),
    ]).toEqual([path, []]);
  for (const path of of(/^workers\/(?:locks|jobs|periodic)\/(?!.*-thread\.ts)/))
    expect([path, loadedBy(path, sources).includes("better-sqlite3")]).toEqual([path, false]);
});

test("only entry points, mains and threads touch the environment, signals and the exit", () => {
  const touching = [...sourcesOf(layers)]
    .filter(([path]) => layerOf(path) !== "entry" && !/\/(main|[a-z-]+-thread)\.ts$/.test(path))
    .filter(([, text]) => /\bprocess\.(env|exit|exitCode|on|once)\b/.test(text))
    .map(([path]) => path);
  expect(touching).toEqual([]);
});

test("only the command serve loads the HTTP server, and only once it runs", () => {
  const sources = sourcesOf(layers);
  const outside = [...sources].filter(([path]) => !path.startsWith("producers/server/"));
  const libraries = /from "(?:@?fastify|@bull-board|tinypool|rate-limiter)/;
  expect(outside.filter(([, text]) => libraries.test(text)).map(([path]) => path)).toEqual([]);
  const loading = outside.filter(([path, text]) =>
    importsOf(path, text).some((imported) => imported.startsWith("producers/server/")),
  );
  expect(loading.map(([path]) => path)).toEqual(["producers/cli/commands/serve.ts"]);
  const [, serve = ""] = loading[0] ?? [];
  expect(serve).not.toMatch(/^import .*server\//m);
});

test("no function is longer than 60 lines, and no test file longer than 300", () => {
  const functions = readSources(layers).flatMap(functionsOf);
  expect(functions.filter(({ lines }) => lines > 60)).toEqual([]);
  const tests = readSources(["test"]);
  expect(tests.filter(({ lines }) => lines > 300).map(({ path }) => path)).toEqual([]);
});

/** Every place where source text puts a value between the quotes of an SQL text or name, instead of binding it, as `file:line`. */
function quotedValues(sources: Sources): string[] {
  const isSql =
    /\b(SELECT|INSERT|UPDATE|DELETE|WHERE|FROM|VALUES|CREATE|ATTACH|PRAGMA|EXISTS|IS NOT|AS)\b|\bstate\b/;
  // Between quotes; quotes doubled by hand; a list or a document of values as text.
  const value = /'\$\{|"\$\{[^}]*\}"|replaceAll\((['"`])(?:'|\\'|"|\\")\1, |\$\{JSON\.stringify/;
  return [...sources].flatMap(([path, text]) =>
    text.split("\n").flatMap((line, index) => {
      const around = text
        .split("\n")
        .slice(Math.max(0, index - 2), index + 3)
        .join(" ");
      return value.test(line) && isSql.test(around) ? [`${path}:${index + 1}`] : [];
    }),
  );
}

test("no source file puts a value into the text of SQL: values are bound, names and words go through one function each", () => {
  const sources = sourcesOf(layers);
  sources.delete("shared/sqlite/connection.ts");
  // Said to a person or a shell, not to SQLite.
  for (const path of [...sources.keys()])
    if (
      /^producers\/(?!doctor|query)|^shared\/(queue|area)\//.test(path) &&
      !/\bprepare\(/.test(sources.get(path) ?? "")
    )
      sources.delete(path);
  expect(quotedValues(sources)).toEqual([]);
});

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: what source text looks like
test("the scan for values in SQL sees those that were there", () => {
  const line = (text: string): Sources => new Map([["a.ts", `db.prepare(\`SELECT 1 FROM t\n${text}\`)`]]);
  for (const text of [
    "WHERE job_id = '${jobId}'",
    "WHERE id IN (SELECT value FROM json_each('${JSON.stringify(ids)}'))",
    'WHERE x."${name}" IS NULL',
    'SELECT "${name}", id FROM t',
    'INSERT INTO t ("${name}") VALUES (?)',
    'WHERE a."${name}"=?',
    "ATTACH '${path.replaceAll(\"'\", \"''\")}' AS completed",
    'WHERE a = ${text.replaceAll("\'", "\'\'")}',
  ])
    expect([text, quotedValues(line(text))]).toEqual([text, ["a.ts:2"]]);
  expect(quotedValues(line("WHERE job_id = ? AND t = ${quoteText(table)}"))).toEqual([]);
});
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: the same

const importStatement =
  /^\s*(?:import|export)\b[^;'"]*?\bfrom\s*["'](?<from>[^"']+)["']|^\s*import\s*["'](?<bare>[^"']+)["']|\bimport\(\s*["'](?<dynamic>[^"']+)["']/gm;

/** The packages that are loaded when `path` is: with all that it imports, but for types and what is imported later. */
function loadedBy(path: string, sources: Sources, seen = new Set<string>()): string[] {
  if (seen.has(path)) return [];
  seen.add(path);
  const now = (sources.get(path) ?? "").replaceAll(/^(?:im|ex)port type\b[^;]*;|\bimport\([^)]*\)/gm, "");
  return [...now.matchAll(importStatement)]
    .map(({ groups }) => groups?.from ?? groups?.bare ?? "")
    .flatMap((name) =>
      name.startsWith(".") ? loadedBy(posix.join(posix.dirname(path), name), sources, seen) : [name],
    );
}

test("what needs no queue starts without the libraries of the queue, which take half a second to load", () => {
  const sources = sourcesOf(layers);
  const heavy = ["bullmq", "ioredis", "redlock", "pino", "pino-pretty", "zod", "cli-progress"];
  const starting = [...sources.keys()].filter((path) =>
    /^entry\/|^producers\/.*\/main\.ts$|-thread\.ts$/.test(path),
  );
  expect(starting.length).toBeGreaterThan(3);
  for (const path of starting) {
    expect([path, heavy.filter((name) => loadedBy(path, sources).includes(name))]).toEqual([path, []]);
  }
  expect(loadedBy("workers/main.ts", sources)).toEqual(expect.arrayContaining(["bullmq", "ioredis"]));
});

test("what is imported late from a package has no name, because esbuild gives a CommonJS one only its default", () => {
  const byName = /\{[^{}]*\}\s*=\s*await import\("(?!\.|node:)[^"]+"\)/g;
  const named = (text: string) =>
    [...text.matchAll(byName)].filter(([found]) => !/^\{\s*default\b/.test(found));
  expect(named('const { a } = await import("bullmq");')).toHaveLength(1);
  expect(named('const { default: a } = await import("bullmq"), { b } = await import("./b.ts");')).toEqual([]);
  const found = [...sourcesOf(layers)].filter(([, text]) => named(text).length > 0);
  expect(found.map(([path]) => path)).toEqual([]);
});

test("the import scan sees every form of import, so that a breach or a cycle cannot hide", () => {
  const sources: Sources = new Map([
    ["shared/a.ts", 'import {\n  type B,\n} from "./b.ts";\nconst text = "from";\n'],
    ["shared/b.ts", 'export * from "../shared/c.ts";\nimport "node:fs";\n'],
    ["shared/c.ts", 'const later = () => import("./a.ts");\n'],
    ["producers/p.ts", 'import type { W } from "../workers/w.ts";\n'],
    ["workers/w.ts", 'import "../test/support/area.ts";\n'],
  ]);
  expect(breaches(sources)).toEqual([
    "producers/p.ts imports workers/w.ts",
    "workers/w.ts imports test/support/area.ts",
  ]);
  expect(cycles(sources)).toEqual(["shared/a.ts > shared/b.ts > shared/c.ts > shared/a.ts"]);
});
