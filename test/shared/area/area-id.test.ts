import { cpSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Area, openArea } from "../../../shared/area/area.ts";
import { ensureAreaId, readAreaId } from "../../../shared/area/area-id.ts";
import { errorOf, makeArea, makeFifo, temporaryDirectory } from "../../support/area.ts";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function copyOf(area: Area): Area {
  cpSync(area.realPath, `${area.realPath}.copy`, { recursive: true, preserveTimestamps: true });
  return openArea(`${area.realPath}.copy`);
}

describe("an area's id", () => {
  it("is null before it is made, and reading it creates nothing", () => {
    const area = openArea(makeArea(temporaryDirectory()));
    expect(readAreaId(area)).toBeNull();
    expect(readdirSync(area.realPath).sort()).toEqual(["megatest.config", "megatest.db"]);
  });

  it("is made once and stays, whatever path the area is reached by", () => {
    const root = temporaryDirectory();
    const area = openArea(makeArea(join(root, "area")));
    const id = ensureAreaId(area);
    expect(id).toMatch(uuid);
    symlinkSync(area.realPath, join(root, "link"));
    expect(ensureAreaId(area)).toBe(id);
    expect(readAreaId(openArea(join(root, "link")))).toBe(id);
    expect(readdirSync(area.privateDir)).toEqual(["area-id"]);
  });

  it("stays when the area is renamed", () => {
    const area = openArea(makeArea(join(temporaryDirectory(), "area")));
    const id = ensureAreaId(area);
    renameSync(area.realPath, `${area.realPath}2`);
    expect(readAreaId(openArea(`${area.realPath}2`))).toBe(id);
  });

  it("is another for a copy, and again for a copy of that", () => {
    const area = openArea(makeArea(join(temporaryDirectory(), "area")));
    const ids = [ensureAreaId(area)];
    const copy = copyOf(area);
    expect(readAreaId(copy)).toBeNull();
    ids.push(ensureAreaId(copy));
    ids.push(ensureAreaId(copyOf(copy)));
    expect(new Set(ids).size).toBe(3);
    expect(readAreaId(area)).toBe(ids[0]);
    expect(readAreaId(copy)).toBe(ids[1]);
  });

  it("is the same for two hosts that replace a copied one at the same time", () => {
    const area = openArea(makeArea(join(temporaryDirectory(), "area")));
    ensureAreaId(area);
    const copy = copyOf(area);
    const stale = readFileSync(join(copy.privateDir, "area-id"));
    const first = ensureAreaId(copy);
    // The other host had read the old id before the first put the new one in place.
    writeFileSync(join(copy.privateDir, "area-id"), stale);
    expect(ensureAreaId(copy)).toBe(first);
    expect(readAreaId(copy)).toBe(first);
  });

  it("is made anew where the file is damaged", () => {
    const area = openArea(makeArea(temporaryDirectory()));
    const id = ensureAreaId(area);
    writeFileSync(join(area.privateDir, "area-id"), "{");
    expect(readAreaId(area)).toBeNull();
    expect(ensureAreaId(area)).not.toBe(id);
    expect(readAreaId(area)).toMatch(uuid);
  });

  it("is an error at once where its file is a FIFO", () => {
    const area = openArea(makeArea(temporaryDirectory(), { ".mtjobs/x": "" }));
    makeFifo(join(area.privateDir, "area-id"));
    expect(errorOf(() => readAreaId(area)).code).toBe("corrupt");
    expect(errorOf(() => ensureAreaId(area)).code).toBe("corrupt");
  });
});
