// `npm run figures`: writes the plots and tables of docs/ from what commands that were run with MTJOBS_RECORD=yes found.
import { writeFileSync } from "node:fs";
import { documents } from "./documents.ts";

for (const [path, text] of documents()) writeFileSync(path, text);
