import { pulumi } from "./stack/pulumi";

/** `npm run pulumi -- <args>`: the Pulumi CLI in the project's setting. */
pulumi(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
