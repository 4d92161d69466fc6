export { Boot, type BootArgs } from "./boot";
export { Claim, type ClaimArgs } from "./claim";
export { FileSystem, type FileSystemArgs } from "./file-system";
export { type FirewallRuleArgs, FirewallRuleset, type FirewallRulesetArgs } from "./firewall-ruleset";
export { Instance, type InstanceArgs } from "./instance";
export { KeyPair, type KeyPairArgs } from "./key-pair";
export { LaunchClaim, type LaunchClaimArgs } from "./launch-claim";
export { SshKey, type SshKeyArgs } from "./ssh-key";
