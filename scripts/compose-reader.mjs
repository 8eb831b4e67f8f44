// For the gate: sees to it that a program is here that reads docker-compose.yml. No Docker engine is needed for that.
import { ask, say, which } from "./command.mjs";
import { installPackages } from "./package-manager.mjs";

const hasPlugin = which("docker") !== undefined && (await ask("docker", ["compose", "version"])).code === 0;
if (!hasPlugin && which("docker-compose") === undefined) {
  const installed = await installPackages("docker-compose", { apt: [["docker-compose"]] });
  if (!installed) say("no docker-compose: the compose file is read by the tests' own parser alone");
}
