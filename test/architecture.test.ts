import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What each layer may import from, besides packages. */
const mayImport: Record<string, string[]> = {
  shared: ["shared"],
  producers: ["producers", "shared"],
  workers: ["workers", "shared"],
  entry: ["entry", "producers", "workers", "shared"],
};
const layers = Object.keys(mayImport);

/** Path from the top (with slashes) → text. */
type Sources = Map<string, string>;

function readSources(directories: string[], ending: RegExp): Sources {
  const sources: Sources = new Map();
  for (const directory of directories) {
    for (const file of readdirSync(join(root, directory), { recursive: true, encoding: "utf8" })) {
      if (!ending.test(file)) continue;
      sources.set(posix.join(directory, file), readFileSync(join(root, directory, file), "utf8"));
    }
  }
  return sources;
}

const importStatement =
  /^\s*(?:import|export)\b[^;'"]*?\bfrom\s*["'](?<from>[^"']+)["']|^\s*import\s*["'](?<bare>[^"']+)["']|\bimport\(\s*["'](?<dynamic>[^"']+)["']/gm;

/** The project's files that a file imports, type-only imports included. */
function importsOf(path: string, text: string): string[] {
  return [...text.matchAll(importStatement)]
    .map(({ groups }) => groups?.from ?? groups?.bare ?? groups?.dynamic ?? "")
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => posix.join(posix.dirname(path), specifier));
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

function longerThan(limit: number, sources: Sources): string[] {
  return [...sources]
    .map(([path, text]) => ({ path, lines: text.split("\n").length - 1 }))
    .filter(({ lines }) => lines > limit)
    .map(({ path, lines }) => `${path}: ${lines} lines`);
}

test("producers and workers import shared but never each other, and shared imports neither", () => {
  const sources = readSources(layers, /\.ts$/);
  expect(sources.size).toBeGreaterThan(0);
  expect(breaches(sources)).toEqual([]);
});

test("no source file imports itself by way of others", () => {
  expect(cycles(readSources(layers, /\.ts$/))).toEqual([]);
});

test("only entry points, mains and threads touch the environment, signals and the exit", () => {
  const touching = [...readSources(layers, /\.ts$/)]
    .filter(([path]) => layerOf(path) !== "entry" && !/\/(main|[a-z-]+-thread)\.ts$/.test(path))
    .filter(([, text]) => /\bprocess\.(env|exit|exitCode|on|once)\b/.test(text))
    .map(([path]) => path);
  expect(touching).toEqual([]);
});

test("only the command serve loads the HTTP server, and only once it runs", () => {
  const sources = readSources(layers, /\.ts$/);
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

test("no source file is longer than 250 lines, and no test file longer than 300", () => {
  expect(longerThan(250, readSources([...layers, "scripts"], /\.m?ts$|\.mjs$/))).toEqual([]);
  expect(longerThan(300, readSources(["test"], /\.ts$/))).toEqual([]);
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
  const sources = readSources(layers, /\.ts$/);
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
  const sources = readSources(layers, /\.ts$/);
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
