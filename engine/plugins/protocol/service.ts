import { type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import * as plugin from "@pulumi/pulumi/proto/plugin_pb";
import type { IResourceProviderServer } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as pb from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import type { EngineLog } from "../../link/log";
import { drawsRows } from "../../link/rows";
import { paceOf, StatusLine } from "../../link/status-line";
import { type Change, diffInputs } from "./diff";
import type { Operation, Plugin, ResourceType } from "./resource";
import { checkInputs } from "./shape";
import { type Properties, plain, UNKNOWN } from "./values";

type Handler<Q, A> = (call: ServerUnaryCall<Q, A>, answer: sendUnaryData<A>) => void;

/** The gRPC service of a plugin: `pulumirpc.ResourceProvider` (proto/pulumi/provider.proto of pulumi/pulumi). */
export function providerService(served: Plugin, log: EngineLog): Partial<IResourceProviderServer> {
  const cancelled = new AbortController();

  const typeOf = (urn: string): ResourceType => {
    const token = urn.split("::")[2]?.split("$").pop() ?? "";
    const type = served.types[token];
    if (type) return type;
    const known = Object.keys(served.types).join(", ");
    throw new Error(
      `${token} is not served by this project's ${served.name} plugin, which stands in for the published one where that cannot be downloaded; it serves ${known}. Install the published plugin: pulumi plugin install resource ${served.name} ${served.version}`,
    );
  };

  /** Runs an operation, and shows what it says in the resource's row; its last line in any case. */
  const operate = async <T>(urn: string, run: (operation: Operation) => Promise<T>): Promise<T> => {
    const line = new StatusLine((text) => log.status(urn, text), paceOf(drawsRows()));
    const name = urn.split("::").pop() ?? "";
    try {
      return await run({ urn, name, signal: cancelled.signal, status: (text) => line.tell("", text) });
    } finally {
      line.end(true);
      await log.shown();
    }
  };

  return {
    getPluginInfo: unary<Empty, plugin.PluginInfo>(async () => new plugin.PluginInfo().setVersion(served.version)),

    getSchema: unary<pb.GetSchemaRequest, pb.GetSchemaResponse>(async () =>
      new pb.GetSchemaResponse().setSchema(JSON.stringify({ name: served.name, version: served.version })),
    ),

    checkConfig: unary<pb.CheckRequest, pb.CheckResponse>(async (request) =>
      new pb.CheckResponse().setInputs(request.getNews()),
    ),

    diffConfig: unary<pb.DiffRequest, pb.DiffResponse>(async () =>
      new pb.DiffResponse().setChanges(pb.DiffResponse.DiffChanges.DIFF_NONE),
    ),

    configure: unary<pb.ConfigureRequest, pb.ConfigureResponse>(async () =>
      new pb.ConfigureResponse().setAcceptsecrets(true).setSupportspreview(true),
    ),

    check: unary<pb.CheckRequest, pb.CheckResponse>(async (request) => {
      const { inputs, failures } = checkInputs(typeOf(request.getUrn()).inputs, read(request.getNews()));
      const told = failures.map(({ property, reason }) =>
        new pb.CheckFailure().setProperty(property).setReason(reason),
      );
      return new pb.CheckResponse().setInputs(write(inputs)).setFailuresList(told);
    }),

    diff: unary<pb.DiffRequest, pb.DiffResponse>(async (request) => {
      const type = typeOf(request.getUrn());
      const olds = read(request.getOlds());
      return diffResponse(diffInputs(type.inputs, olds, read(request.getNews()), request.getIgnorechangesList()));
    }),

    create: unary<pb.CreateRequest, pb.CreateResponse>(async (request) => {
      const type = typeOf(request.getUrn());
      const inputs = read(request.getProperties());
      const response = new pb.CreateResponse();
      if (request.getPreview()) return response.setProperties(write({ ...inputs, ...unknowns(type) }));
      const created = await operate(request.getUrn(), (operation) =>
        type.create(plain(inputs) as Properties, operation),
      );
      return response.setId(created.id).setProperties(write({ ...inputs, ...created.outputs }));
    }),

    read: unary<pb.ReadRequest, pb.ReadResponse>(async (request) => {
      typeOf(request.getUrn());
      const response = new pb.ReadResponse().setId(request.getId());
      return response.setProperties(request.getProperties()).setInputs(request.getInputs());
    }),

    update: unary<pb.UpdateRequest, pb.UpdateResponse>(async (request) => {
      const type = typeOf(request.getUrn());
      const update = type.update?.bind(type);
      if (!update) throw new Error(`${request.getUrn()} cannot be updated: every change replaces it`);
      const olds = read(request.getOlds());
      const news = read(request.getNews());
      for (const name of request.getIgnorechangesList()) news[name] = olds[name];
      const outputs = request.getPreview()
        ? unknowns(type)
        : await operate(request.getUrn(), (operation) =>
            update(plain(olds) as Properties, plain(news) as Properties, operation),
          );
      return new pb.UpdateResponse().setProperties(write({ ...news, ...outputs }));
    }),

    delete: unary<pb.DeleteRequest, Empty>(async (request) => {
      const olds = plain(read(request.getProperties())) as Properties;
      const type = typeOf(request.getUrn());
      await operate(request.getUrn(), async (operation) => type.delete?.(olds, operation));
      return new Empty();
    }),

    cancel: unary<Empty, Empty>(async () => {
      cancelled.abort(new Error("the update was cancelled"));
      return new Empty();
    }),
  };
}

function unary<Q, A>(handle: (request: Q) => Promise<A>): Handler<Q, A> {
  return (call, answer) => {
    handle(call.request).then(
      (response) => answer(null, response),
      (error) => answer({ code: status.UNKNOWN, details: error instanceof Error ? error.message : String(error) }),
    );
  };
}

function diffResponse(changes: Change[]): pb.DiffResponse {
  const { DIFF_NONE, DIFF_SOME } = pb.DiffResponse.DiffChanges;
  const response = new pb.DiffResponse()
    .setChanges(changes.length > 0 ? DIFF_SOME : DIFF_NONE)
    .setDiffsList(changes.map((change) => change.path))
    .setReplacesList(changes.filter((change) => change.replace).map((change) => change.path))
    .setHasdetaileddiff(true);
  const { Kind } = pb.PropertyDiff;
  const kinds = {
    add: [Kind.ADD, Kind.ADD_REPLACE],
    delete: [Kind.DELETE, Kind.DELETE_REPLACE],
    update: [Kind.UPDATE, Kind.UPDATE_REPLACE],
  } as const;
  for (const change of changes) {
    const kind = kinds[change.kind][change.replace ? 1 : 0];
    response.getDetaileddiffMap().set(change.path, new pb.PropertyDiff().setKind(kind).setInputdiff(true));
  }
  return response;
}

function unknowns(type: ResourceType): Properties {
  return Object.fromEntries(type.outputs.map((name) => [name, UNKNOWN]));
}

function read(struct: Struct | undefined): Properties {
  return (struct?.toJavaScript() as Properties | undefined) ?? {};
}

function write(properties: Properties): Struct {
  const present = Object.entries(properties).filter(([, value]) => value !== undefined);
  return Struct.fromJavaScript(Object.fromEntries(present) as Parameters<typeof Struct.fromJavaScript>[0]);
}
