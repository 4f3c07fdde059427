"""What stands below the help of commands."""

from __future__ import annotations

from energy.serving.columns import describe

#: Of the program itself.
EXAMPLES = """examples:
  neurt-energy profile --model gpt2-small --hw 45nm
  neurt-energy profile --model ./my-gpt2 --hw 45nm --hw loihi --phase decode --context 512
  neurt-energy plan --model gpt2-xl --hw 45nm --seq-len 1000 --spike-rate 0.15
  neurt-energy plan --model gpt2-small --hw 7nm --prompt 512 --generate 128
  neurt-energy count --model ./my-gpt-neox --hw 45nm --phase decode --context 1024
  neurt-energy convert --model gpt2-nano --form softmax --code pow2 --out my-spiking-gpt2
  neurt-energy evaluate --model gpt2-nano --form softmax --code pow2
  neurt-energy sweep --model gpt2-nano --jobs 2
  neurt-energy finetune --model gpt2-nano --text sotu --out my-spiking-gpt2
  neurt-energy price counts.csv --hw my-chip.toml --dataflow event-driven
  neurt-energy breakeven --model gpt2-small --hw 45nm --timesteps 4
  neurt-energy map --model gpt2-small --hw 45nm --phase decode
  neurt-energy sensitivity runs/first --hw 45nm
  neurt-energy report runs/first runs/second --compare
  neurt-energy report runs/first --latex --pictures-fit one --out runs/paper
  neurt-energy reproduce --models gpt2-small gpt2-medium
  neurt-energy check claims.csv
  neurt-energy hw show 45nm
"""

_PROCESSES = (
    "several processes, on GPUs or CPUs: accelerate launch --multi_gpu --num_processes N -m "
    "neurt.cli {verb} ... (its --cpu starts one process, whatever N); each holds a part of the "
    "parameters, gradients and optimiser with --use_fsdp --fsdp_version 2 in the place of "
    "--multi_gpu. --resume goes on in another number of processes, sharded or not"
)
#: Of `finetune`, and of `pretrain`.
FINETUNED, PRETRAINED = (_PROCESSES.format(verb=verb) for verb in ("finetune", "pretrain"))

#: Of `sweep`.
POINTS = (
    "By default 12 points, each as long as one evaluate of the model; after the first it is said "
    "how long the others take. Points are kept: a sweep that was interrupted goes on."
)

#: Of `hw fit`.
MEASURED_COLUMNS = f"""columns of MEASURED.csv, by any of their names; needed are model, batch,
output_tokens, and energy_per_token_j or, with requests, energy_j:
{describe()}

such as:
  model,gpus,batch,prompt_tokens,output_tokens,energy_per_token_j,itl_ms
  Llama-3.1-8B,1,8,200,500,0.466,8.9
  ./my-model/config.json,1,8,200,500,0.471,9.1
"""
