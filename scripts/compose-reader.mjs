// For the gate: makes sure that a program that reads docker-compose.yml is installed. It needs no Docker engine.
import { ask, say, which } from "./command.mjs";
import { installPackages } from "./package-manager.mjs";

const hasPlugin = which("docker") !== undefined && (await ask("docker", ["compose", "version"])).code === 0;
if (!hasPlugin && which("docker-compose") === undefined) {
  const installed = await installPackages("docker-compose", { apt: [["docker-compose"]] });
  if (!installed) say("no docker-compose: only the tests' own parser reads the compose file");
}
