const { PolicyPack } = require("@pulumi/policy");

const instance = "pulumi-nodejs:dynamic/lambda-train:Instance";

/** A policy on each instance that a stack would launch. */
const onInstances = (name, description, configSchema, validate) => ({
  name,
  description,
  enforcementLevel: "mandatory",
  configSchema,
  validateResource: ({ type, props, getConfig }, reportViolation) => {
    if (type === instance) validate(props, reportViolation, getConfig());
  },
});

/** `pulumi preview --policy-pack examples/policy`: what a team allows is checked before anything is launched. */
new PolicyPack("lambda-train", {
  policies: [
    onInstances("budget", "Each stack has a budget.", undefined, ({ budgetDollars }, report) => {
      if (budgetDollars === undefined)
        report("The stack has no budget. Set it: npm run pulumi -- config set lambda-train:budgetDollars 20");
    }),
    onInstances(
      "highest-budget",
      "No budget is above a limit.",
      { properties: { dollars: { type: "number", default: 500 } } },
      ({ budgetDollars }, report, { dollars }) => {
        if (budgetDollars > dollars)
          report(`The budget of $${budgetDollars} is above $${dollars}, the policy's limit.`);
      },
    ),
  ],
});
