import { askArea } from "./ask.ts";
import type { Area, Diagnosis } from "./documents.ts";
import { Lane } from "./lane.ts";

/** Sizes, runs, locks and last jobs of the areas that are seen. */
export const areaDetails = new Lane<Area>((path) => askArea(path, ""), 4, 30_000);

/** The doctor reads whole databases: one at a time. */
export const diagnoses = new Lane<Diagnosis>((path) => askArea(path, "/doctor"), 1, 120_000);
