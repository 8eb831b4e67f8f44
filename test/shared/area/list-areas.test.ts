import { chmodSync, mkdirSync, rmdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type ListAreasOptions, listAreas } from "../../../shared/area/list-areas.ts";
import { makeArea, temporaryDirectory } from "../../support/area.ts";

function list(roots: readonly string[], options: ListAreasOptions = {}) {
  const warnings: string[] = [];
  const areas = [...listAreas(roots, { ...options, warn: (sentence) => warnings.push(sentence) })];
  return { areas, warnings };
}

describe("the areas below the roots", () => {
  it("are found at any depth up to four, a root that is an area itself included, and none within another", () => {
    const root = temporaryDirectory();
    const inRoot = ["a1", "group/a2", "g/r/o/a3"].map((name) => makeArea(join(root, name)));
    makeArea(join(root, "a1/inner"));
    makeArea(join(root, "t/o/o/deep/a4"));
    makeArea(join(root, ".trash/a5"));
    mkdirSync(join(root, "no-area"));
    const single = makeArea(join(temporaryDirectory(), "alone"));
    expect(list([root, single])).toEqual({ areas: [single, ...inRoot], warnings: [] });
    expect(list([root], { depth: 1 }).areas).toEqual([inRoot[0]]);
  });

  it("are not found by bytes that are not UTF-8, and that is told", () => {
    const root = temporaryDirectory();
    const name = Buffer.concat([Buffer.from(`${root}/`), Buffer.from("caf\xe9", "latin1")]);
    mkdirSync(name);
    const { areas, warnings } = list([root]);
    rmdirSync(name);
    expect(areas).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining("path is not valid UTF-8")]);
  });

  it("are each listed once, by their shortest path, and links lead neither out of the roots nor round", () => {
    const root = temporaryDirectory();
    const stored = makeArea(join(root, "disk/one/a1"));
    symlinkSync(stored, join(root, "a1"));
    symlinkSync(makeArea(join(temporaryDirectory(), "elsewhere")), join(root, "out"));
    symlinkSync(root, join(root, "disk/round"));
    symlinkSync("/nonexistent", join(root, "dangling"));
    expect(list([root])).toEqual({ areas: [join(root, "a1")], warnings: [] });
  });

  it("come with a sentence for what was not looked at", () => {
    const root = temporaryDirectory();
    const area = makeArea(join(root, "a1"));
    for (const name of ["b", "c", "d"]) mkdirSync(join(root, name));
    expect(list([join(root, "absent")])).toEqual({
      areas: [],
      warnings: [`${join(root, "absent")} does not exist`],
    });
    const cut = list([root], { most: 3 });
    expect(cut.areas).toEqual([area]);
    expect(cut.warnings).toEqual([expect.stringMatching(/^more than 3 directories: .*\/c$/)]);
  });

  it.skipIf(process.getuid?.() === 0)("name a directory that this user may not read", () => {
    const root = temporaryDirectory();
    mkdirSync(join(root, "closed"));
    chmodSync(join(root, "closed"), 0);
    expect(list([root]).warnings).toEqual([`${join(root, "closed")} cannot be read (EACCES)`]);
    chmodSync(join(root, "closed"), 0o700);
  });
});
