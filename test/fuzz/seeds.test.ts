import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../support/area.ts";
import { config, seeds as configSeeds } from "./config.ts";
import { fullDb, seeds as fullDbSeeds } from "./full-db.ts";
import { payload, seeds as payloadSeeds } from "./payload.ts";

/** `npm run fuzz` goes on from these; it needs its fuzzer, and minutes. */
describe("what the fuzzer begins with holds for", () => {
  it.each([
    ["queries in full-db mode", fullDb, fullDbSeeds],
    ["megatest.config and .homehost", config, configSeeds],
    ["the data of jobs", payload, payloadSeeds],
  ])("%s", (_, make, seeds) => {
    const fuzz = make(temporaryDirectory());
    expect(seeds.length).toBeGreaterThan(2);
    for (const seed of seeds) fuzz(seed);
  });
});
