import { InputError } from '@rarefy/core';
import type { RotaryAngles } from '../layers/rotary.js';
import type { ConfigReader } from './config.js';

/** What rotary positions depend on besides their own parameters. */
interface RotarySizes {
  readonly headSize: number;
  readonly maxPositions: number;
  /** `rope_theta` if config.json has none. */
  readonly base: number;
  /** Whether the family may rotate only the share `partial_rotary_factor` of each head. It then takes only the default type. */
  readonly canBePartial?: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

/** The parameters that each type reads, besides `rope_theta` and `partial_rotary_factor`. */
const parametersOf: Readonly<Record<string, readonly string[]>> = {
  default: ['original_max_position_embeddings'], // has no effect
  linear: ['factor'],
  llama3: ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'],
  yarn: [
    ...['factor', 'original_max_position_embeddings', 'attention_factor', 'beta_fast', 'beta_slow'],
    ...['mscale', 'mscale_all_dim', 'truncate'],
  ],
};

/**
 * The rotary positions of a config.json: `rope_parameters`, or `rope_scaling` and `rope_theta` as older versions of transformers
 * write them.
 * @throws InputError for a type or a parameter that is not supported.
 */
export function rotaryPositions(config: ConfigReader, sizes: RotarySizes): RotaryAngles {
  const scaling = fieldsOf(config, 'rope_scaling');
  const fields = Object.keys(scaling).length > 0 ? scaling : fieldsOf(config, 'rope_parameters');
  return rotaryAngles(config, fields, { ...sizes, base: config.number('rope_theta', sizes.base) });
}

/**
 * Gemma 3 has a base of its own for layers with a window. Only the other layers are scaled.
 * @throws InputError for a type or a parameter that is not supported.
 */
export function rotaryPositionsByLayerType(config: ConfigReader, sizes: RotarySizes) {
  const given = fieldsOf(config, 'rope_parameters');
  const full = { ...(given.full_attention as Fields), ...fieldsOf(config, 'rope_scaling') };
  const bases = {
    full: config.number('rope_theta', sizes.base),
    sliding: config.number('rope_local_base_freq', 10_000),
  };
  return {
    full: rotaryAngles(config, full, { ...sizes, base: bases.full }),
    sliding: rotaryAngles(config, (given.sliding_attention ?? {}) as Fields, { ...sizes, base: bases.sliding }),
  };
}

function fieldsOf(config: ConfigReader, name: string): Fields {
  const value = config.raw(name) ?? {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Fields;
  throw new InputError(`config.json: '${name}' must be an object, got ${JSON.stringify(value)}`);
}

/**
 * Frequencies in float32, step by step as transformers computes them (modeling_rope_utils.py).
 * Sources: linear, Chen et al. 2023; llama3, Llama 3.1's reference code; yarn, Peng et al. 2023.
 */
function rotaryAngles(
  config: ConfigReader,
  fields: Fields,
  { headSize, maxPositions, base: defaultBase, canBePartial = false }: RotarySizes,
): RotaryAngles {
  const type = String(fields.rope_type ?? fields.type ?? 'default');
  const types = canBePartial ? ['default'] : Object.keys(parametersOf);
  if (!types.includes(type)) {
    throw new InputError(
      `rotary positions of type '${type}' are not supported; use a model with one of ${types.join(', ')}`,
    );
  }
  const number = (name: string, fallback?: number): number => {
    const value = fields[name] ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    throw new InputError(
      `config.json: rotary positions of type '${type}' need '${name}' > 0, got ${JSON.stringify(value)}`,
    );
  };
  const share = number('partial_rotary_factor', config.number('partial_rotary_factor', 1));
  const shared = ['rope_type', 'type', 'rope_theta', 'partial_rotary_factor'];
  const unknown = Object.keys(fields).find(
    (name) => (fields[name] ?? null) !== null && ![...shared, ...parametersOf[type]!].includes(name),
  );
  if (unknown !== undefined || (share !== 1 && !canBePartial)) {
    throw new InputError(
      `config.json: rotary positions of type '${type}' do not take '${unknown ?? 'partial_rotary_factor'}' in this family`,
    );
  }
  const size = Math.trunc(headSize * share);
  if (size % 2 !== 0) throw new InputError(`config.json: heads of ${size} rotated numbers do not divide into pairs`);
  const base = number('rope_theta', defaultBase);
  const powers = Float32Array.from({ length: size / 2 }, (_, i) => base ** Math.fround((2 * i) / size));
  const frequencies = powers.map((power) => 1 / power);
  if (type === 'default') return { frequencies, factor: 1 };
  const original = () => {
    const outside = config.raw('original_max_position_embeddings');
    return typeof outside === 'number' ? outside : number('original_max_position_embeddings', maxPositions);
  };
  if (type === 'yarn') {
    const factor = number('factor', maxPositions / original());
    return yarn({ powers, frequencies, base, size, factor, original: original(), fields, number });
  }
  const factor = number('factor');
  if (type === 'linear') return { frequencies: frequencies.map((frequency) => frequency / factor), factor: 1 };
  const [low, high, trained] = [number('low_freq_factor'), number('high_freq_factor'), original()];
  const scaled = frequencies.map((frequency) => {
    const wavelength = Math.fround((2 * Math.PI) / frequency);
    if (wavelength > trained / low) return frequency / factor;
    if (wavelength < trained / high) return frequency;
    const smooth = Math.fround(Math.fround(trained / wavelength - low) / (high - low));
    return Math.fround(((1 - smooth) * frequency) / factor) + Math.fround(smooth * frequency);
  });
  return { frequencies: scaled, factor: 1 };
}

function yarn(given: {
  readonly powers: Float32Array;
  readonly frequencies: Float32Array;
  readonly base: number;
  readonly size: number;
  readonly factor: number;
  readonly original: number;
  readonly fields: Fields;
  number(name: string, fallback?: number): number;
}): RotaryAngles {
  const { powers, frequencies, base, size, factor, original, fields, number } = given;
  /** The dimension that turns `rotations` times within the positions of the training. */
  const dimensionOf = (rotations: number) =>
    (size * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(base));
  const [fast, slow] = [dimensionOf(number('beta_fast', 32)), dimensionOf(number('beta_slow', 1))];
  const isTruncated = fields.truncate ?? true;
  const low = Math.max(isTruncated ? Math.floor(fast) : fast, 0);
  const high = Math.min(isTruncated ? Math.ceil(slow) : slow, size - 1);
  const width = high === low ? 0.001 : high - low;
  const scaled = frequencies.map((frequency, i) => {
    const ramp = Math.fround(Math.min(1, Math.max(0, (i - low) / width)));
    return Math.fround((1 / Math.fround(factor * powers[i]!)) * ramp) + Math.fround(frequency * (1 - ramp));
  });
  const magnitude = (multiple: number) => (factor <= 1 ? 1 : 0.1 * multiple * Math.log(factor) + 1);
  const hasRatio = Boolean(fields.mscale) && Boolean(fields.mscale_all_dim);
  const ratio = hasRatio ? magnitude(number('mscale')) / magnitude(number('mscale_all_dim')) : magnitude(1);
  return { frequencies: scaled, factor: number('attention_factor', ratio) };
}
