import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { resolveSettings } from "../../shared/settings/settings.ts";
import { locateArea } from "../../workers/jobs/locate-area.ts";
import { temporaryDirectory } from "../support/area.ts";

function areaWithHomehostFromEnvironment() {
  const root = temporaryDirectory();
  const area = join(root, "a1");
  mkdirSync(area);
  writeFileSync(join(area, "megatest.config"), "[server]\nhomehost #{getenv FARM_HOME}\n");
  writeFileSync(join(area, "megatest.db"), "");
  return { root, area };
}

describe("locating an area", () => {
  it("sees the worker's environment where the config takes the homehost from it", async () => {
    const { root, area } = areaWithHomehostFromEnvironment();
    const settings = resolveSettings({ flags: { host: "hosta", address: "10.0.0.1", areas: root } });
    const elsewhere = await locateArea(area, settings, { FARM_HOME: "hostb" });
    expect(elsewhere).toMatchObject({ realPath: area, elsewhere: "hostb" });
    const here = await locateArea(area, settings, { FARM_HOME: "hosta" });
    expect(here.elsewhere).toBeUndefined();
  });

  it("refuses a path outside the roots that the worker was given", async () => {
    const { root, area } = areaWithHomehostFromEnvironment();
    const settings = resolveSettings({ flags: { areas: join(root, "elsewhere") } });
    await expect(locateArea(area, settings, {})).rejects.toMatchObject({ code: "outside-roots" });
  });
});
