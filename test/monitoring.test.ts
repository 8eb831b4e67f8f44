import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { which } from "../scripts/command.mjs";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const promtool = which("promtool");

/** Metrics by their full names, as the sources make them. */
function madeMetrics(): Set<string> {
  const server = [
    ...read("producers/server/routes/metrics.ts").matchAll(/gauge\(\s*registry,\s*"([a-z_]+)"/g),
  ];
  const worker = [...read("workers/host/metrics.ts").matchAll(/name: "mtjobs_([a-z_]+)"/g)];
  return new Set([...server, ...worker].map(([, name]) => `mtjobs_${name}`));
}

it("the docs name every metric, and the dashboard none that is not made", () => {
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

interface Alert {
  alert: string;
  expr: string;
}

const { groups } = parse(read("docs/prometheus-rules.yml")) as { groups: { rules: Alert[] }[] };
const alerts = groups.flatMap(({ rules }) => rules);

it("the alerts ask for no metric that is not made, and each has a test that it fires and one that it does not", () => {
  const made = madeMetrics();
  const asked = alerts.flatMap(({ expr }) => expr.match(/mtjobs_[a-z_]+/g) ?? []);
  expect(asked.length).toBeGreaterThan(7);
  expect(asked.map((name) => name.replace(/_bucket$/, "")).filter((name) => !made.has(name))).toEqual([]);
  const tests = read("docs/prometheus-rules.test.yml");
  for (const { alert } of alerts) {
    expect(tests).toContain(`alertname: ${alert} }`);
    expect(tests).toMatch(new RegExp(`alertname="${alert}"`));
  }
});

it.skipIf(promtool === undefined)("the alerts pass their tests (needs promtool)", () => {
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const tested = spawnSync(promtool ?? "", ["test", "rules", "docs/prometheus-rules.test.yml"], {
    cwd,
    encoding: "utf8",
  });
  expect([tested.status, tested.stderr]).toEqual([0, ""]);
  expect(tested.stdout).toContain("SUCCESS");
});
