export { type InstructionSet, instructionSets } from './native-addon.js';
export { type SelfJoin, type SelfJoinOptions, selfJoin } from './self-join.js';
