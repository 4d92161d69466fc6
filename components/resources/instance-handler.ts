import { stateOrigin } from "../../lambda/account/state-origin";
import { launchedAtOf, launchTags, userTags } from "../../lambda/account/tags";
import { requireOurWorkspace } from "../../lambda/account/workspace";
import type { LaunchRequest } from "../../lambda/api/client";
import type { Cloud } from "../../lambda/api/connect";
import { isKind } from "../../lambda/api/errors";
import { type Instance, type InstanceType, isEnding, type Offer } from "../../lambda/api/schemas";
import { overLimits } from "../../lambda/billing/forecast";
import { endAndBill, endNoted, type Rented, settleBill } from "../../lambda/billing/settle";
import { launchWhereFree } from "../../lambda/launch/capacity";
import { launchTogether } from "../../lambda/launch/group";
import { type Launched, Launcher } from "../../lambda/launch/launcher";
import type { Candidate } from "../../lambda/launch/planner";
import { preflight } from "../../lambda/launch/preflight";
import { priceTable } from "../../lambda/launch/price-table";
import { readRefreshed } from "../../lambda/life/presence";
import { listedInstance } from "../../lambda/life/read";
import type { Ended } from "../../lambda/life/termination";
import { tellOfEnd } from "../../notices/end";
import { sameValue } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { otherThanWanted } from "./adoption";
import { type Connect, connect } from "./cloud";
import {
  checkInstance,
  diffInstance,
  type InstanceInputs,
  type InstanceOutputs,
  recordedInputs,
  sha256,
} from "./instance-inputs";

/** The configuration key that names whom the stack notifies. */
const notifyConfig = "lambda-train:notify";

export function instanceHandler(connectTo: Connect): DynamicHandler<InstanceInputs, InstanceOutputs> {
  return {
    check: checkInstance,
    diff: (_id, olds, news) => diffInstance(olds, news),
    create: (inputs, context) => create(connectTo(inputs.endpoint, context), inputs, context),
    read: (id, props, context) => read(connectTo(props.endpoint, context), id, props, context),
    update: (id, olds, news, context) => update(() => connectTo(news.endpoint, context), id, olds, news),
    delete: (id, props, context) => remove(connectTo(props.endpoint, context), id, props, context),
  };
}

/** Returns as soon as Lambda returns the id, so that Pulumi saves it before anything waits. */
async function create(
  cloud: Cloud,
  inputs: InstanceInputs,
  context: HandlerContext,
): Promise<{ id: string; outs: InstanceOutputs }> {
  const { name, userData, sshKeyName, imageFamily, fileSystemNames, rulesetIds, tags } = inputs;
  const launcher = new Launcher(cloud, name, context);
  const { client } = cloud;
  const [offers, regions, existing] = await Promise.all([
    client.listInstanceTypes(),
    listedRegions(cloud),
    launcher.find(),
  ]);
  if (existing !== undefined) return adopt(cloud, existing, inputs, offers, context);

  const attaches = (fileSystemNames ?? []).length > 0;
  const [fileSystems, images] = await Promise.all([
    attaches ? client.listFileSystems() : [],
    imageFamily === undefined ? [] : client.listImages(),
  ]);
  const fileSystem = fileSystems.find(({ name: each }) => fileSystemNames?.includes(each));
  tellPrices(priceTable({ ...inputs, fileSystem }, offers).join("\n"), inputs, context);
  const wanted = preflight(inputs, { offers, regions, fileSystems, images });
  for (const note of wanted.notes) context.progress(`${name}: ${note}`);
  const request = ({ instanceType, region }: Candidate): Omit<LaunchRequest, "name"> => ({
    instanceType,
    region,
    sshKeyName,
    userData,
    imageFamily,
    fileSystemNames: attaches ? fileSystemNames : undefined,
    rulesetIds: rulesetIds?.[region] === undefined ? undefined : [rulesetIds[region]],
    tags: launchTags(
      {
        name,
        launchedAt: dateNow(cloud),
        stateOrigin: stateOrigin(),
        userDataSha256: sha256(userData),
      },
      tags,
    ),
  });
  const launch = (candidate: Candidate): Promise<Launched> => launcher.launch(request(candidate));
  const timeoutSeconds = inputs.capacityTimeoutSeconds;
  const search = { cloud, wanted, limits: inputs, timeoutSeconds, offers, context };
  const release = async ({ instance }: Launched, { instanceType, region }: Candidate): Promise<void> => {
    const type = offers.find((offer) => offer.type.name === instanceType)?.type;
    const outs = outputs(inputs, type, { instanceType, region, adopted: false, launchedAt: dateNow(cloud) });
    await endAndBill(cloud, factsOf(instance.id, outs), context);
    launcher.forget(instance.id);
  };
  const placed =
    inputs.group === undefined
      ? await launchWhereFree({ ...search, launch })
      : await launchTogether(inputs.group, { name, launch, release }, search);
  if (placed.adopted) return adopt(cloud, placed.instance as Instance, inputs, offers, context);
  const { instanceType, region } = placed.candidate;
  const { id } = placed.instance;
  const listed = offers.find((offer) => offer.type.name === instanceType)?.type;
  const shown = (await shownBriefly(cloud, id))?.instanceType;
  const priceCentsPerHour = shown?.priceCentsPerHour ?? placed.priceCentsPerHour;
  const type = listed === undefined ? shown : { ...listed, priceCentsPerHour };
  const outs = outputs(inputs, type, { instanceType, region, adopted: false, launchedAt: dateNow(cloud) });
  await endWhereTooDear(cloud, id, outs, context);
  context.progress(`launched ${instanceType} in ${region} at $${dollars(type).toFixed(2)} per hour: instance ${id}`);
  return { id, outs };
}

/** What this process has told of prices: one table is that of all instances of a stack. */
const toldPrices = new Set<string>();

function tellPrices(text: string, { instances = 1 }: InstanceInputs, { progress }: HandlerContext): void {
  if (instances > 1 && toldPrices.has(text)) return;
  toldPrices.add(text);
  progress(text);
}

/** Milliseconds for a look at what was just launched: the state does not know it until `create` returns. */
const briefMs = 5_000;

/** An instance that was just launched; undefined where the API does not show it within moments. */
function shownBriefly(cloud: Cloud, id: string): Promise<Instance | undefined> {
  return listedInstance(cloud, id, { signal: AbortSignal.timeout(briefMs) }).catch(() => undefined);
}

/**
 * Lambda charges what a type costs at the launch, and its price may have risen since it was listed.
 * @throws Error where the instance costs more than is allowed: it is terminated, nothing was on it yet.
 */
async function endWhereTooDear(
  cloud: Cloud,
  id: string,
  outs: InstanceOutputs,
  context: HandlerContext,
): Promise<void> {
  const over = overLimits(outs.priceCentsPerHour, outs);
  if (over === undefined) return;
  await endAndBill(cloud, factsOf(id, outs), context);
  new Launcher(cloud, outs.name, context).forget(id);
  throw new Error(
    `Instance ${id} (${outs.instanceType} in ${outs.region}) was launched and terminated at once, since ${over}. ` +
      "Raise the limit, list other instance types, or run `up` again later.",
  );
}

/** Takes over an instance that an interrupted `up` launched, if it is what is wanted now. */
function adopt(
  cloud: Cloud,
  instance: Instance,
  inputs: InstanceInputs,
  offers: readonly Offer[],
  context: HandlerContext,
): { id: string; outs: InstanceOutputs } {
  const { id, region = "", tags } = instance;
  const instanceType = instance.instanceType?.name ?? "";
  const wrong = otherThanWanted(instance, inputs);
  if (wrong.length > 0) {
    throw new Error(
      `Instance ${id} is named ${inputs.name}, was launched by an interrupted \`up\` and is billed, but ${wrong.join(" and ")}. ` +
        "Run `npm run down`, which terminates it, then `npm run up` again. Or configure what it is, and `npm run up` adopts it.",
    );
  }
  // Lambda fixed its price at the launch, even if the type costs something else now.
  const listed = offers.find((offer) => offer.type.name === instanceType)?.type;
  const priceCentsPerHour = instance.instanceType?.priceCentsPerHour ?? listed?.priceCentsPerHour;
  const type = listed === undefined ? instance.instanceType : { ...listed, priceCentsPerHour };
  context.progress(`adopted instance ${id} (${instanceType} in ${region}), which an earlier \`up\` launched`);
  const launchedAt = launchedAtOf(tags) ?? dateNow(cloud);
  return { id, outs: outputs(inputs, type, { instanceType, region, adopted: true, launchedAt }) };
}

function outputs(
  inputs: InstanceInputs,
  type: InstanceType | undefined,
  placed: Pick<InstanceOutputs, "instanceType" | "region" | "adopted" | "launchedAt">,
): InstanceOutputs {
  return { ...recordedInputs(inputs), ...placed, ...typeFacts(type), userDataSha256: sha256(inputs.userData) };
}

/** The date by the API, as outputs and tags have it. */
function dateNow({ clock }: Cloud): string {
  return new Date(clock.date()).toISOString();
}

function typeFacts(
  type: InstanceType | undefined,
): Pick<InstanceOutputs, "pricePerHour" | "priceCentsPerHour" | "architecture" | "gpus"> {
  const { priceCentsPerHour = 0, architecture = "x86_64", gpus = 0 } = type ?? {};
  return { pricePerHour: dollars(type), priceCentsPerHour, architecture, gpus };
}

function dollars(type: InstanceType | undefined): number {
  return (type?.priceCentsPerHour ?? 0) / 100;
}

/** Regions by the API, or undefined where it does not tell (the call is newer than the others). */
async function listedRegions(cloud: Cloud): Promise<{ name: string; description: string | undefined }[] | undefined> {
  try {
    return await cloud.client.listRegions();
  } catch (error) {
    if (isKind(error, "not-found")) return undefined;
    throw error;
  }
}

async function remove(cloud: Cloud, id: string, props: InstanceOutputs, context: HandlerContext): Promise<void> {
  const what = `instance ${id} (${props.instanceType} in ${props.region})`;
  const ended = await endNoted(cloud, { id, launchedAt: props.launchedAt }, context);
  new Launcher(cloud, props.name, context).forget(id);
  if (!ended.existed) await requireOurWorkspace(cloud, id, props.sshKeyName);
  context.progress(`${what} ${ended.existed ? "is terminated" : "was gone already"}`);
  await billAndTell(cloud, factsOf(id, props), ended, context);
}

/** Makes the bill of an instance that is gone, and tells whom the stack notifies. */
async function billAndTell(cloud: Cloud, facts: Rented, ended: Ended, context: HandlerContext): Promise<void> {
  const bill = await settleBill(cloud, facts, ended, context.progress);
  const warn = (line: string): void => context.progress(`warning: notifications: ${line}`);
  await tellOfEnd(bill, context.config(notifyConfig), warn);
}

/** What the state knows towards a bill. */
function factsOf(id: string, props: InstanceOutputs): Rented {
  const { instanceType, region, launchedAt, priceCentsPerHour, tags } = props;
  return { id, instanceType, region, launchedAt, priceCentsPerHour, stack: tags?.stack, experiment: tags?.experiment };
}

/** An instance that is gone leaves the state without a `delete`: its bill is made here. */
async function read(
  cloud: Cloud,
  id: string,
  props: Partial<InstanceOutputs>,
  context: HandlerContext,
): Promise<{ id: string; props: InstanceOutputs; inputs?: InstanceInputs } | undefined> {
  const found = await readRefreshed(cloud, { id, launchedAt: props.launchedAt }, context.interrupted);
  if (found === undefined) await requireOurWorkspace(cloud, id, props.sshKeyName);
  const instance = found !== undefined && isEnding(found.status) ? undefined : found;
  if (instance === undefined) {
    if (props.name !== undefined) new Launcher(cloud, props.name, context).forget(id);
    if (props.launchedAt === undefined) return undefined;
    const facts = factsOf(id, props as InstanceOutputs);
    await billAndTell(cloud, facts, { existed: found !== undefined, instance: found }, context);
    return undefined;
  }
  const fresh = { name: instance.name ?? "", tags: userTags(instance.tags) };
  if (props.instanceType !== undefined) return { id, props: { ...(props as InstanceOutputs), ...fresh } };

  // Looked up by its id: everything that can be read becomes the input that would have made it.
  const type = instance.instanceType;
  const { region = "", rulesetIds, fileSystemNames, sshKeyNames, imageFamily } = instance;
  const inputs = {
    ...fresh,
    endpoint: props.endpoint,
    instanceTypes: props.instanceTypes ?? [type?.name ?? ""],
    regions: props.regions ?? [region],
    sshKeyName: sshKeyNames[0] ?? "",
    imageFamily,
    rulesetIds: rulesetIds[0] === undefined ? undefined : { [region]: rulesetIds[0] },
    fileSystemNames: fileSystemNames.length === 0 ? undefined : fileSystemNames,
    capacityTimeoutSeconds: props.capacityTimeoutSeconds ?? 900,
  };
  const launchedAt = launchedAtOf(instance.tags) ?? dateNow(cloud);
  const placed = { instanceType: type?.name ?? "", region, adopted: true, launchedAt };
  return { id, props: { ...inputs, ...placed, ...typeFacts(type) }, inputs: { ...inputs, userData: "" } };
}

async function update(
  cloud: () => Cloud,
  id: string,
  olds: InstanceOutputs,
  news: InstanceInputs,
): Promise<InstanceOutputs> {
  const renamed = olds.name !== news.name;
  if (renamed || !sameValue(olds.tags ?? {}, news.tags ?? {})) {
    const { launchedAt, userDataSha256 } = olds;
    const facts = { name: news.name, launchedAt, stateOrigin: stateOrigin(), userDataSha256 };
    const tags = launchTags(facts, news.tags);
    await cloud().client.updateInstance(id, { name: renamed ? news.name : undefined, tags });
  }
  const { instanceType, region, pricePerHour, priceCentsPerHour, architecture, gpus } = olds;
  const { launchedAt, adopted, userDataSha256 } = olds;
  const kept = {
    instanceType,
    region,
    pricePerHour,
    priceCentsPerHour,
    architecture,
    gpus,
    launchedAt,
    adopted,
    userDataSha256,
  };
  return { ...recordedInputs(news), ...kept };
}

export const handler = instanceHandler(connect);
