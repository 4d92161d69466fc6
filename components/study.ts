import * as pulumi from "@pulumi/pulumi";
import type { Job, WorkerPlan } from "../plan/types";
import { renderStudyPrepare } from "../remote/study";
import type { FleetMember } from "./fleet";
import type { OnInstanceArgs } from "./resources/on-instance";
import { StudyPlace } from "./resources/study";
import { step } from "./step";

/** Arguments of {@link Study}. The instance is that which has the study. */
export interface StudyArgs extends OnInstanceArgs {
  /** The worker on that instance. */
  readonly plan: Job;
  readonly worker: WorkerPlan;
  /** What is done on the instance before trials are given out. */
  readonly needs: readonly pulumi.Resource[];
  /** All machines of the stack. */
  readonly members: readonly FleetMember[];
}

/** The study of a sweep: the memory of which trials there are and what each came to, and the queue of those that wait. */
export class Study extends pulumi.ComponentResource {
  /** What must be there before a worker asks for a trial. It waits for the study's machine alone. */
  readonly placed: pulumi.Resource;

  constructor(name: string, args: StudyArgs, options?: pulumi.ComponentResourceOptions) {
    super("lambda-train:index:Study", name, {}, options);
    const { plan, worker, members, needs, instanceId, access } = args;
    // Beside uploads and setup, which take their time as well.
    const script = renderStudyPrepare();
    const prepared = step(
      `${name}-prepare`,
      { access, script, triggers: [pulumi.output(instanceId)] },
      { parent: this },
    );
    const all = members.map(({ machine, instance: { uniqueName, login } }) =>
      pulumi.all([uniqueName, login]).apply(([unique, own]) => ({ machine, name: unique, login: own })),
    );
    const told = {
      endpoint: plan.cloud.endpoint,
      experiment: plan.run.experiment,
      study: worker.study,
      definition: worker.definition,
      metric: worker.definition.metric,
      evaluation: plan.evaluation,
      directory: plan.results.directory,
      instanceId,
      access,
      members: pulumi.secret(pulumi.all(all)),
      // What lies in a bucket alone counts as what is at home.
      ...(plan.run.bucket?.home === true && { bucket: plan.run.bucket, secrets: plan.run.secrets ?? [] }),
    };
    this.placed = new StudyPlace(`${name}-place`, told, { parent: this, dependsOn: [prepared, ...needs] });
    // When all machines are there it hears which are gone.
    const instanceIds = pulumi.all(members.map(({ instance }) => instance.id));
    new StudyPlace(`${name}-members`, { ...told, instanceIds }, { parent: this, dependsOn: this.placed });
    this.registerOutputs({});
  }
}
