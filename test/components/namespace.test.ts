import * as pulumi from "@pulumi/pulumi";
import { afterEach, describe, expect, it, vi } from "vitest";
import { refuseMisplaced, stackConfig } from "../../components/kit/stack-config";

describe("the configuration of a project with a name of its own", () => {
  afterEach(() => vi.restoreAllMocks());
  const set = (config: Record<string, string>): void => {
    vi.spyOn(pulumi, "getProject").mockReturnValue("infrastructure");
    pulumi.runtime.setAllConfig(config);
  };

  it("is read under lambda-train:, and what is the project's own is left alone", () => {
    set({ "lambda-train:experiment": "a.yaml", "infrastructure:size": "3", "aws:region": "eu-central-1" });
    expect(stackConfig()).toEqual({ experiment: "a.yaml" });
    expect(refuseMisplaced).not.toThrow();
  });

  it("is refused in the project's own namespace, with the name that it must have", () => {
    set({ "lambda-train:experiment": "a.yaml", "infrastructure:budgetDollars": "5" });
    expect(refuseMisplaced).toThrow(/infrastructure:budgetDollars.*Rename it to lambda-train:budgetDollars/);
  });

  it("is refused with an API key in plain text, and the name to set another by", () => {
    set({ "lambda-train:apiKey": "secret_x" });
    expect(stackConfig).toThrow(/config set --secret lambda-train:apiKey/);
  });
});
