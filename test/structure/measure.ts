import { posix } from "node:path";
import { oldWords, proseOf } from "./prose.ts";
import { rooms } from "./rooms.ts";
import { lineAt, type Node, type Source, walk } from "./sources.ts";

export interface FunctionLength {
  /** `path:line name` */
  where: string;
  lines: number;
}

/** Figures of a set of sources. */
export interface Structure {
  files: number;
  lines: number;
  functions: { count: number; median: number; p90: number; longest: number; over60: string[] };
  folders: { count: number; largest: number; over15: string[] };
  /** See `upwardImports`. */
  upward: string[];
  /** Files under 40 lines that one other file imports. */
  smallFilesOfOne: number;
  exports: { count: number; ofOneFile: number };
  oldWords: { strings: number; comments: number };
}

const functionTypes = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);

/** All functions with a body in braces, methods among them, by their length from the first line to the last. */
export function functionsOf(source: Source): FunctionLength[] {
  const found: FunctionLength[] = [];
  walk(source.program as unknown as Node, (node, parent) => {
    if (!functionTypes.has(node.type) || (node.body as Node | null)?.type !== "BlockStatement") return;
    const line = lineAt(source, node.start);
    const name = nameOf(node) ?? (parent === undefined ? undefined : nameOf(parent)) ?? "(anonymous)";
    found.push({
      where: `${source.path}:${line} ${name}`,
      lines: lineAt(source, node.end) - line + 1,
    });
  });
  return found;
}

function nameOf(node: Node): string | undefined {
  const named = (node.id ?? node.key) as { name?: string } | null | undefined;
  return named?.name;
}

/** Value at a share of a sorted list, by the nearest rank. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

/** Each folder with the number of files of its own. */
export function filesPerFolder(sources: readonly Source[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { path } of sources) counts.set(posix.dirname(path), (counts.get(posix.dirname(path)) ?? 0) + 1);
  return counts;
}

/** Names that a file exports, and the files that import each. */
function exportsOf(sources: readonly Source[]): Map<string, Set<string>> {
  const users = new Map<string, Set<string>>();
  for (const { path, program } of sources) {
    for (const node of program.body as unknown as Node[]) {
      if (node.type !== "ExportNamedDeclaration" || node.declaration == null) continue;
      const declaration = node.declaration as Node;
      const declared = (declaration.declarations as Node[] | undefined) ?? [declaration];
      for (const one of declared) {
        const name = nameOf(one);
        if (name !== undefined) users.set(`${path} ${name}`, new Set());
      }
    }
  }
  for (const { path, imports } of sources)
    for (const { from, names } of imports) for (const name of names) users.get(`${from} ${name}`)?.add(path);
  return users;
}

/** Imports from a room beside the file's own, or later in the plan, within one layer, as `a.ts imports b.ts`. */
export function upwardImports(sources: readonly Source[]): string[] {
  const layerOf = (path: string) => path.split("/")[0] ?? "";
  const floorOf = (path: string) =>
    rooms[layerOf(path)]?.findIndex((line) => line.includes(posix.dirname(path))) ?? -1;
  return sources.flatMap(({ path, imports }) =>
    imports
      .map(({ from }) => from)
      .filter((from) => layerOf(from) === layerOf(path) && posix.dirname(from) !== posix.dirname(path))
      .filter((from) => floorOf(from) < 0 || floorOf(from) >= floorOf(path))
      .map((from) => `${path} imports ${from}`),
  );
}

export function measure(sources: readonly Source[]): Structure {
  const functions = sources.flatMap(functionsOf);
  const lengths = functions.map(({ lines }) => lines).sort((a, b) => a - b);
  const folders = filesPerFolder(sources);
  const exported = [...exportsOf(sources).values()];
  const prose = sources.flatMap(proseOf);
  const importers = new Map<string, Set<string>>();
  for (const { path, imports } of sources)
    for (const { from } of imports) importers.set(from, (importers.get(from) ?? new Set()).add(path));
  return {
    files: sources.length,
    lines: sources.reduce((sum, { lines }) => sum + lines, 0),
    functions: {
      count: lengths.length,
      median: percentile(lengths, 0.5),
      p90: percentile(lengths, 0.9),
      longest: lengths.at(-1) ?? 0,
      over60: functions.filter(({ lines }) => lines > 60).map(({ where, lines }) => `${where}: ${lines}`),
    },
    folders: {
      count: folders.size,
      largest: Math.max(0, ...folders.values()),
      over15: [...folders].filter(([, count]) => count > 15).map(([folder, count]) => `${folder}: ${count}`),
    },
    upward: upwardImports(sources),
    smallFilesOfOne: sources.filter(({ path, lines }) => lines < 40 && importers.get(path)?.size === 1)
      .length,
    exports: { count: exported.length, ofOneFile: exported.filter((users) => users.size === 1).length },
    oldWords: {
      strings: oldWords(prose.filter(({ kind }) => kind === "string")).length,
      comments: oldWords(prose.filter(({ kind }) => kind === "comment")).length,
    },
  };
}
