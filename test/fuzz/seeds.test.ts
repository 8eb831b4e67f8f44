import { describe, expect, it } from "vitest";
import { temporaryDirectory } from "../support/area.ts";
import { config } from "./config.ts";
import { fullDb } from "./full-db.ts";
import { payload } from "./payload.ts";

/** `npm run fuzz` goes on from these; it needs its fuzzer, and minutes. */
describe("what the fuzzer begins with holds for", () => {
  it.each([
    ["queries in full-db mode", fullDb, 40],
    ["megatest.config and .homehost", config, 3],
    ["the data of jobs", payload, 7],
  ])("%s", (_, make, atLeast) => {
    const { seeds, fuzz } = make(temporaryDirectory());
    expect(seeds.length).toBeGreaterThanOrEqual(atLeast);
    for (const seed of seeds) fuzz(seed);
  });
});
