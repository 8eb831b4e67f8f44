// For the gate: installs what tests use if it is there: a program that reads docker-compose.yml, which needs no Docker
// engine, and promtool, which tests the alerts.
import { ask, say, which } from "./command.mjs";
import { installPackages } from "./package-manager.mjs";

const hasPlugin = which("docker") !== undefined && (await ask("docker", ["compose", "version"])).code === 0;
if (!hasPlugin && which("docker-compose") === undefined) {
  const installed = await installPackages("docker-compose", { apt: [["docker-compose"]] });
  if (!installed) say("no docker-compose: only the tests' own parser reads the compose file");
}
if (which("promtool") === undefined) {
  const installed = await installPackages("promtool", { apt: [["prometheus"]] });
  if (!installed) say("no promtool: the alerts' own tests are skipped");
}
