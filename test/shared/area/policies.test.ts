import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../../shared/area/config/config.ts";
import { readPolicies } from "../../../shared/area/config/policies.ts";
import { type PolicyJob, policySections } from "../../../shared/area/config/policy-name.ts";
import { temporaryDirectory, writeFile } from "../../support/area.ts";

const day = 24 * 3_600_000;

function policiesOf(lines: string, job: PolicyJob = "reduce") {
  const text = `[${policySections[job]}]\n${lines}\n`;
  const file = writeFile(join(temporaryDirectory(), "megatest.config"), text);
  return readPolicies(readConfig({ file, areaPath: "/areas/a1", env: {} }), job);
}

describe("the lines of [purge-records]", () => {
  it("say which moved runs to purge, and where to export them", () => {
    const { policies, problems } = policiesOf(
      "old target=%; age=2y; export=/archive/a b; max-time=1h",
      "purge",
    );
    expect(problems).toEqual([]);
    const request = { target: "%", age: 2 * 365.25 * day, export: "/archive/a b", maxTime: day / 24 };
    expect(policies).toEqual([{ job: "purge", name: "old", everyMs: day, request }]);
  });

  it.each([
    ["old age=2y", /\] old: no export= \(add export=DIR/],
    ["old age=2y; export=none", /export=none is not an absolute path/],
    ["old export=/archive", /no selector/],
    ["old age=2y; export=/archive; kep=1", /the settings are target, .*export/],
    ["old age=2y; export=/archive; constructor=1", /unknown setting constructor=/],
    ["old toString=1; export=/archive", /no selector/],
  ])("are refused with a sentence: %s", (line, why) => {
    const { policies, problems } = policiesOf(line, "purge");
    expect([policies, problems]).toEqual([[], [expect.stringMatching(why)]]);
  });

  it("are no lines of [reduce-records], which take no export", () => {
    expect(policiesOf("old age=2y; export=/archive").problems).toEqual([
      expect.stringContaining("unknown setting export="),
    ]);
    expect(policiesOf("old age=2y", "purge").policies).toEqual([]);
  });
});

describe("the lines of [reduce-records]", () => {
  it("have no name of a line of [purge-records] in jobs", () => {
    expect(policiesOf("purge-records/old age=3d")).toEqual({
      policies: [],
      problems: [expect.stringContaining("its name begins with purge-records/")],
    });
    expect(policiesOf("purge-records/old age=3d; export=/a", "purge").problems).toEqual([]);
  });

  it("name runs as Megatest's users name them, and say how long and when", () => {
    const { policies, problems } = policiesOf(`# what leaves
old target=%/%/%; runname=%; age=30d; keep=5
big runname=w%,x*;state=COMPLETED ; max-time = 20m; between=22:00-06:00;
   tz=Europe/Berlin; every=12h; include-locked=no; dead-after=2d; compact=never
[setup]
other x=1`);
    expect(problems).toEqual([]);
    expect(policies).toEqual([
      {
        job: "reduce",
        name: "old",
        everyMs: day,
        request: { target: "%/%/%", runname: "%", age: 30 * day, keep: 5 },
      },
      {
        job: "reduce",
        name: "big",
        everyMs: day / 2,
        request: {
          runname: "w%,x*",
          state: "COMPLETED",
          maxTime: 1_200_000,
          between: "22:00-06:00",
          tz: "Europe/Berlin",
          includeLocked: false,
          deadAfter: 2 * day,
          compact: "never",
        },
      },
    ]);
  });

  it("are none where the config has no such section", () => {
    const none = readPolicies({ names: () => [], get: () => undefined });
    expect(none).toEqual({ policies: [], problems: [] });
  });

  it.each([
    ["empty", /no selector \(add .*runname=% /],
    ["late compact=auto", /\] late: no selector/],
    ["late every=1h", /\] late: no selector/],
    ["late age=30", /age: "30" is not a duration/],
    ["late age=30d keep=5", /age: "30d keep=5" is not a duration/],
    ["late age=30d; keep=-1", /keep=-1 is not a whole number/],
    ["late age=30d; kep=5", /unknown setting kep= \(the settings are target, .*every\)/],
    ["late age=30d; age=20d", /age= is given twice/],
    ["late age=30d; runname", /"runname" is not of the form name=value/],
    ["late age=30d; runname=", /"runname=" is not of the form/],
    ["late age=30d; between=22-6", /between: "22-6" is not a time range/],
    ["late age=30d; tz=Berlin", /tz: "Berlin" is not a time zone/],
    ["late age=30d; max-time=0s", /max-time=0s is not longer than zero/],
    ["late age=30d; every=1s", /every=1s is less than a minute/],
    ["late age=30d; compact=yes", /compact=yes is not one of auto, always, never/],
    ["late age=30d; include-locked=1", /include-locked=1 is not one of yes, no/],
    ["late age=#{shell date}", /\[reduce-records\] late needs #\{shell/],
  ])("are each refused with a sentence, and the others followed: %s", (line, sentence) => {
    const { policies, problems } = policiesOf(`${line}\ngood age=60d`);
    expect(policies.map(({ name }) => name)).toEqual(["good"]);
    expect(problems).toEqual([expect.stringMatching(sentence)]);
    expect(problems[0]).toContain(`[reduce-records] ${line.split(" ")[0]}`);
    expect(problems[0]).toMatch(/; this line is ignored$/);
  });
});
