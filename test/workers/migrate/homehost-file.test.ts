import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openArea } from "../../../shared/area/area.ts";
import {
  removeNextHomes,
  switchHome,
  withdrawNextHome,
  writeNextHome,
} from "../../../workers/migrate/pair/homehost-file.ts";
import { makeArea, temporaryDirectory } from "../../support/area.ts";

function areaAtHome() {
  const area = openArea(makeArea(join(temporaryDirectory(), "a1")));
  writeFileSync(area.homehostFile, "10.0.0.1\n");
  return area;
}

describe("the switch of .homehost", () => {
  it("puts the token's file in its place, with its mode, and never leaves the name empty", () => {
    const area = areaAtHome();
    chmodSync(area.homehostFile, 0o664);
    writeNextHome(area, "10.0.0.2", 5);
    expect(readFileSync(area.homehostFile, "utf8")).toBe("10.0.0.1\n");
    switchHome(area, 5, "10.0.0.2");
    expect(readFileSync(area.homehostFile, "utf8")).toBe("10.0.0.2\n");
    expect(statSync(area.homehostFile).mode & 0o777).toBe(0o664);
    expect(existsSync(join(area.realPath, ".homehost.mtjobs-5"))).toBe(false);
  });

  it("writes nothing that no host would read from it", () => {
    const area = areaAtHome();
    for (const home of ["10.0.0.2/24", "10.0.0.2 ", "a b", ""])
      expect(() => writeNextHome(area, home, 5)).toThrow(expect.objectContaining({ code: "bad-settings" }));
    expect(readdirSync(area.realPath).filter((name) => name.startsWith(".homehost."))).toEqual([]);
  });

  it("fails for a token whose file was taken away before, and changes nothing", () => {
    const area = areaAtHome();
    writeNextHome(area, "10.0.0.2", 5);
    expect(withdrawNextHome(area, 5)).toBe("removed");
    expect(() => switchHome(area, 5, "10.0.0.2")).toThrow(expect.objectContaining({ code: "lost-lease" }));
    expect(readFileSync(area.homehostFile, "utf8")).toBe("10.0.0.1\n");
  });

  it("cannot be taken away once it is done: the file is absent and .homehost is the new one", () => {
    const area = areaAtHome();
    writeNextHome(area, "10.0.0.2", 5);
    switchHome(area, 5, "10.0.0.2");
    expect(withdrawNextHome(area, 5)).toBe("absent");
    // A rename that is repeated because its answer was lost finds it done.
    switchHome(area, 5, "10.0.0.2");
    expect(readFileSync(area.homehostFile, "utf8")).toBe("10.0.0.2\n");
  });

  it("starts over where a writer died in the middle of the token's file", () => {
    const area = areaAtHome();
    writeFileSync(join(area.realPath, ".homehost.mtjobs-5"), "10.0.0.222222");
    writeNextHome(area, "10.0.0.2", 5);
    switchHome(area, 5, "10.0.0.2");
    expect(readFileSync(area.homehostFile, "utf8")).toBe("10.0.0.2\n");
  });

  it("leaves nothing of parts that never came to their intent", () => {
    const area = areaAtHome();
    for (const token of [4, 5]) writeNextHome(area, "10.0.0.2", token);
    renameSync(join(area.realPath, ".homehost.mtjobs-4"), join(area.realPath, ".homehost.mine"));
    removeNextHomes(area);
    expect(
      readdirSync(area.realPath)
        .filter((name) => name.startsWith(".homehost"))
        .sort(),
    ).toEqual([".homehost", ".homehost.mine"]);
  });
});
