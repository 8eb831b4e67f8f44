import { expect, test } from "vitest";
import { assignTargets, type HostLoad } from "../../producers/fleet/drain.ts";

const host = (name: string, areas: number, roots = ["/areas"]): HostLoad => ({ host: name, areas, roots });
const areas = ["/areas/1", "/areas/2", "/areas/3", "/areas/4"];

test("areas go to the host that has the fewest by then", () => {
  const plan = assignTargets(areas, [host("hostB", 3), host("hostC", 1), host("hostD", 2)]);
  expect([...plan.values()]).toEqual(["hostC", "hostC", "hostD", "hostB"]);
  expect([...assignTargets(areas, [host("hostB", 0), host("hostC", 0)]).values()]).toEqual([
    "hostB",
    "hostC",
    "hostB",
    "hostC",
  ]);
});

test("an area goes to no host whose worker may not touch it, and stays if there is no other host", () => {
  const plan = assignTargets(
    ["/areas/1", "/other/2", "/third/3"],
    [host("hostB", 9), host("hostC", 0, ["/other"])],
  );
  expect([...plan]).toEqual([
    ["/areas/1", "hostB"],
    ["/other/2", "hostC"],
  ]);
});

test("spreading leaves the loads that it was given as they were", () => {
  const targets = [host("hostB", 1)];
  assignTargets(areas, targets);
  expect(targets).toEqual([host("hostB", 1)]);
});
