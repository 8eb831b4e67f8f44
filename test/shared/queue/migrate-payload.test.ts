import { describe, expect, it } from "vitest";
import {
  type MigratePayload,
  type MigrateStepName,
  type MigrateStepPayload,
  migrateSchema,
  migrateStepSchema,
} from "../../../shared/contract/migrate-payload.ts";

const migration = { v: 1, area: "/areas/a1", to: "hostB" };

describe("the data of a migration", () => {
  it("has half an hour of quiet, twelve hours to wait and no wish but the target unless more is said", () => {
    const payload: MigratePayload = migrateSchema.parse(migration);
    expect(payload).toEqual({
      ...migration,
      requestedBy: "unknown",
      dryRun: false,
      quietFor: 1_800_000,
      whenQuiet: false,
      deadline: 43_200_000,
      stopServers: false,
      takeover: false,
      confirmed: false,
      now: false,
    });
  });

  it.each([
    ["a take-over that waits for quiet", { takeover: true, whenQuiet: true }, "takeover"],
    ["a confirmation of nothing", { confirmed: true }, "confirmed"],
    ["a target that is no host", { to: "host B" }, "to"],
    ["a member that nobody knows", { force: true }, ""],
  ])("may not hold %s", (_what, members, path) => {
    const { success, error } = migrateSchema.safeParse({ ...migration, ...members });
    expect(success).toBe(false);
    expect(error?.issues.map((issue) => issue.path.join("."))).toEqual([path]);
  });
});

describe("the data of a migration's step", () => {
  const base = { v: 1, area: "/areas/a1" };

  it.each<[MigrateStepName, object]>([
    ["check", { migration: "migrate-1", toHost: "b", quietFor: 0, version: "0.1.0" }],
    ["stop-servers", { migration: "migrate-1", toHost: "b", pids: [7] }],
    [
      "close",
      { migration: "migrate-1", quietFor: 0, toHost: "b", toHome: "b", fromHome: "a", lockValue: "x" },
    ],
    ["tend", {}],
  ])("of %s names what that step needs and no more", (step, members) => {
    const payload: MigrateStepPayload = migrateStepSchema.parse({ ...base, step, ...members });
    expect(payload).toMatchObject({ step, requestedBy: "unknown", ...members });
    expect(migrateStepSchema.safeParse({ ...base, step, ...members, to: "b" }).success).toBe(false);
    for (const member of Object.keys(members)) {
      expect(migrateStepSchema.safeParse({ ...base, step, ...members, [member]: undefined }).success).toBe(
        false,
      );
    }
  });
});
