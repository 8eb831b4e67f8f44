import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

/** Metrics by their full names, as the sources make them. */
function madeMetrics(): Set<string> {
  const server = [
    ...read("producers/server/routes/metrics.ts").matchAll(/gauge\(\s*registry,\s*"([a-z_]+)"/g),
  ];
  const worker = [...read("workers/host/metrics.ts").matchAll(/name: "mtjobs_([a-z_]+)"/g)];
  return new Set([...server, ...worker].map(([, name]) => `mtjobs_${name}`));
}

it("the dashboard and the docs name every metric, and none that is not made", () => {
  const made = [...madeMetrics()].sort();
  expect(made.length).toBeGreaterThan(8);
  const { panels } = JSON.parse(read("docs/grafana-dashboard.json")) as {
    panels: { targets: { expr: string }[] }[];
  };
  const asked = panels.flatMap(({ targets }) =>
    targets.flatMap(({ expr }) => expr.match(/mtjobs_[a-z_]+/g) ?? []),
  );
  expect(asked.length).toBeGreaterThan(7);
  expect(asked.map((name) => name.replace(/_bucket$/, "")).filter((name) => !made.includes(name))).toEqual(
    [],
  );
  const told = [...read("docs/server.md").matchAll(/`(mtjobs_[a-z_]*[a-z])`/g)].map(([, name]) => name);
  expect([...new Set(told)].sort()).toEqual(made);
});
