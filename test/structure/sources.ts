import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { type Comment, type Program, parseSync } from "oxc-parser";

/** The root of the checkout, found from the working directory: tests and commands run there. */
export const root = process.cwd();

/** The directories of the product, without its tests. */
export const productDirectories = ["entry", "producers", "workers", "shared"];

export interface Source {
  /** From the root, with slashes. */
  path: string;
  text: string;
  lines: number;
  program: Program;
  comments: readonly Comment[];
  /** What it imports or exports again, of this repository, as paths from the root; of packages, as their specifiers. */
  imports: readonly { from: string; names: readonly string[]; typeOnly: boolean }[];
}

/** Reads and parses every TypeScript file below `directories`. */
export function readSources(directories: readonly string[]): Source[] {
  return directories.flatMap((directory) =>
    readdirSync(join(root, directory), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
      .map((file) => posix.join(directory, file.replaceAll("\\", "/")))
      .sort()
      .map((path) => parseSource(path, readFileSync(join(root, path), "utf8"))),
  );
}

const parsed = new Map<string, Source>();

/** Parses a text; the same text of the same path only once. @throws Error if it cannot be parsed */
export function parseSource(path: string, text: string): Source {
  const known = parsed.get(path);
  if (known?.text === text) return known;
  const source = parse(path, text);
  parsed.set(path, source);
  return source;
}

function parse(path: string, text: string): Source {
  const { program, comments, errors, module } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  const resolve = (specifier: string) =>
    specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : specifier;
  const statics = module.staticImports.map((statement) => ({
    from: resolve(statement.moduleRequest.value),
    names: statement.entries.map(({ importName }) => importName.name ?? importName.kind),
    typeOnly: statement.entries.length > 0 && statement.entries.every(({ isType }) => isType),
  }));
  const again = module.staticExports
    .flatMap(({ entries }) => entries)
    .flatMap(({ moduleRequest, importName, isType }) =>
      moduleRequest === null
        ? []
        : [
            {
              from: resolve(moduleRequest.value),
              names: [importName.name ?? importName.kind],
              typeOnly: isType,
            },
          ],
    );
  const dynamics = module.dynamicImports.flatMap(({ moduleRequest }) => {
    const literal = /^["'](?<path>[^"']+)["']$/.exec(text.slice(moduleRequest.start, moduleRequest.end));
    return literal?.groups?.path === undefined
      ? []
      : [{ from: resolve(literal.groups.path), names: ["Default"], typeOnly: false }];
  });
  return {
    path,
    text,
    lines: text.split("\n").length - 1,
    program,
    comments,
    imports: [...statics, ...again, ...dynamics],
  };
}

/** A syntax node, as far as a walk needs to know it. */
export interface Node {
  type: string;
  start: number;
  end: number;
  [property: string]: unknown;
}

/** Calls `visit` for each node below `node`, itself first; the parent comes with it. */
export function walk(node: Node, visit: (node: Node, parent: Node | undefined) => void, parent?: Node): void {
  visit(node, parent);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (child !== null && typeof child === "object" && typeof (child as Node).type === "string")
        walk(child as Node, visit, node);
    }
  }
}

/** Line of an offset, from 1. */
export function lineAt({ text }: Pick<Source, "text">, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
