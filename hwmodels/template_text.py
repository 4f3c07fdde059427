"""The texts of new profiles, in which `hwmodels.template` fills in names and definitions."""

from __future__ import annotations

#: The schema that new profiles point editors to, in the folder of the profile.
SCHEMA_FILE = "hardware.schema.json"

#: Of `hw new NAME`.
WHOLE = """\
#:schema ./{schema}
# A hardware profile. It is valid as it stands: replace the numbers and the citations, and delete
# what you do not know. An operation without a price is reported as unpriced, never taken for zero.
#   neurt-energy hw validate FILE     checks it
#   neurt-energy plan --model gpt2-small --hw FILE     uses it
# Numbers are in the unit that their key names, or strings with a unit: pj = "81e-12 J", or
# "0.9 pJ/SOP"; of memory "20.3 pJ/bit", or "512 pJ / 64 bit"; "34 GB/s".
# To change a few prices of a profile that exists, put `extends` here and delete all that stays:
#extends = "45nm"

# What to type after --hw once it is installed; tables and pictures carry it.
name = "{name}"
# One line for tables and pictures.
title = "{name}, a chip of mine"
# Technology node in nanometres; delete it where unknown.
process_nm = 22
# Number format of the arithmetic, and its width: that of every operand without one of its own.
precision = "int8"
value_bytes = 1
# per_term: operations are priced one by one. all_in: chip power over events, one price with
# leakage, neurons and routing inside it, and nothing beside it. whole_chip: a server of language
# models, whose table [whole_chip] `neurt-energy hw fit` writes, and no operation.
scope = "per_term"
# How often a spiking layer moves its operands: layerwise, stepwise, event-driven, time-batched,
# gathered.
dataflow = "layerwise"
# What moves between the products of a model:
{fusions}
fusion = "fused"
# How spikes lie in memory:
{encodings}
encoding = "cheapest"
# Who gets the room on the chip:
{rooms}
room = "by-need"
# What a reader must accept to use the numbers, one sentence each; printed with every report.
assumptions = ["The numbers of this profile are placeholders."]
# Operations and buffers to take out of the profile that this one extends.
#unpriced = ["exp"]

# Bits of operands that are stored in another width; a fraction holds its share of scales. Sums and
# membrane potentials have whole bits.
#[widths]
#weights = 4.156
#activations = 8
#vectors = 16
#kv = 8
#accumulators = 32

# Prices. The operations are:
{operations}
# Each price needs a source (a citation with its table or figure) and the grade of its evidence:
{grades}
[prices.mac]
pj = 1.0
source = "Replace this: a citation, with its table or figure"
evidence = "unverified"
# What a reader must know to use the number.
note = "A placeholder"
# Lowest and highest value that can be defended, as multiples of pj.
spread = [0.5, 2.0]
# What other sources print for the same operation.
#others = [{{ pj = 1.4, source = "Another citation" }}]

[prices.ac]
pj = 0.2
source = "Replace this: a citation, with its table or figure"
evidence = "unverified"

# Operations that another price pays for, each with the reason.
[included]
spike = "inside the price of an accumulate"

# Memory levels, by names of your choice. Reads and writes have a price per byte ...
[memory.dram]
read_pj_per_byte = "20.3 pJ/bit"
write_pj_per_byte = "20.3 pJ/bit"
source = "Replace this: a citation, with its table or figure"
evidence = "unverified"

# ... or a curve of [size of the array, price per byte], and a capacity of all arrays together.
[memory.sram]
curve = [["8 KiB", 0.5], ["1 MiB", 4.0]]
capacity_bytes = "2 MiB"
source = "Replace this: a citation, with its table or figure"
evidence = "unverified"

# The levels that each buffer may live in, nearest first: it lives in the first that it fits in.
{buffers}
[placement]
weights = ["sram", "dram"]
kv_cache = ["sram", "dram"]
activations = "sram"
spikes = "sram"
state = "sram"

# The buffer beside the adders, where its price is not in that of an operation: energy of a fetch,
# and how many multiply-accumulates or events share one.
#[delivery]
#pj_per_byte = 0.5
#mac_reuse = 2048
#event_reuse = 2048
#reuse_range = [1, 4096]
#source = "A citation"
#evidence = "derived"

# What the chip draws when nothing happens. With throughput, latency and static energy follow.
#[static_power]
#watts = "104 mW"
#source = "A citation"
#evidence = "measured"

# Operations per second of the whole chip.
#[throughput.mac]
#per_second = "1e12/s"
#source = "A citation"
#evidence = "measured"

# How fast a memory level is. With throughput, the slowest of both gives the latency.
#[bandwidth.dram]
#bytes_per_second = "34 GB/s"
#source = "A citation"
#evidence = "measured"

# What one core of a many-core chip holds. With it and a price of spike_hop, spikes are routed.
#[core]
#synapses = 1048576
#neurons = 1024
#source = "A citation"
#evidence = "measured"

# Measured figures of a whole system: shown beside a bill, never part of it.
# boundary: what the figure has inside:
{boundaries}
# phase: per token of a prefill or of a decode, or of a whole request, per generated token.
#[[system]]
#what = "GPT-2 small, batch 1"
#model = "GPT-2 small"
#phase = "decode"
#batch = 1
#tokens_per_second = 41.5
#value = 3.0
#unit = "mJ/token"
#boundary = "wall"
#source = "A citation"
#evidence = "measured"

# Another precision: FILE.toml:int4. It changes what it names; an entry is replaced whole.
#[precisions.int4]
#value_bytes = "4 bit"
#[precisions.int4.prices.mac]
#pj = 0.3
#source = "A citation"
#evidence = "derived"
"""

#: Of `hw new NAME --extends`.
EXTENDING = """\
#:schema ./{schema}
# A hardware profile that starts from another. It is valid as it stands.
#   neurt-energy hw diff {parent} FILE     shows what it changes
# `neurt-energy hw new NAME` without --extends explains every key.
# Whatever is not named here is as in the profile that it extends.
extends = {reference}
name = "{name}"
title = {title}
# Appended to the assumptions of the profile that it extends.
assumptions = ["The price of {op} is a placeholder."]
# Operations and buffers to take out.
#unpriced = ["exp"]

# {definition}; {before} there.
# An entry is replaced whole, so it brings its own source and evidence.
[prices.{op}]
pj = {pj}
source = "Replace this: a citation, with its table or figure"
evidence = "unverified"
"""
