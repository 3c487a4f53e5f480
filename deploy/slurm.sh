#!/usr/bin/env bash
# sbatch deploy/slurm.sh --pipeline cifar_contrastive --trials 200
# What follows the file's name goes to search/tune.py. Run it in the clone, on a disk that all
# nodes share, with .venv/ in it; see README.md beside this file.
#SBATCH --job-name=latent-search
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@180
# For GPUs, say what your cluster calls them: #SBATCH --gpus-per-node=1
set -euo pipefail
cd "$SLURM_SUBMIT_DIR"
# shellcheck source=/dev/null
source .venv/bin/activate

# A token of this job's own: who does not have it is not let into the cluster.
RAY_AUTH_TOKEN=$(python -c "import secrets; print(secrets.token_hex(32))")
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1) # this script runs there
ip=$(hostname --ip-address | cut -d ' ' -f 1)
port=$((20000 + SLURM_JOB_ID % 10000)) # two jobs may share a node
each=(--num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus="${SLURM_GPUS_ON_NODE:-0}" --block)

srun --nodes=1 --ntasks=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" --nodelist="$head" \
    ray start --head --node-ip-address="$ip" --port="$port" --include-dashboard=false \
    --temp-dir="/tmp/ray-$SLURM_JOB_ID" "${each[@]}" &
for _ in $(seq 60); do
    ray health-check --address "$ip:$port" 2>/dev/null && break
    sleep 2
done
if ((SLURM_NNODES > 1)); then
    srun --nodes=$((SLURM_NNODES - 1)) --ntasks=$((SLURM_NNODES - 1)) \
        --cpus-per-task="$SLURM_CPUS_PER_TASK" --exclude="$head" \
        ray start --address="$ip:$port" "${each[@]}" &
fi

# How many trials run at a time follows from the nodes that are there: wait for all of them.
timeout 300 python - "$ip:$port" "$SLURM_NNODES" <<'PYTHON'
import sys, time
import ray

ray.init(address=sys.argv[1], log_to_driver=False)
while sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]):
    time.sleep(1)
PYTHON

# Slurm sends TERM to this script before the time is over: the search then stops in good order,
# and the same command with --resume goes on.
python search/tune.py "$@" --address "$ip:$port" &
search=$!
trap 'kill -TERM "$search"' TERM
status=0
wait "$search" || status=$?
if kill -0 "$search" 2>/dev/null; then # the wait was ended by TERM, and not by the search
    status=0
    wait "$search" || status=$?
fi
trap - TERM
readarray -t nodes < <(jobs -p)
kill "${nodes[@]}" || true # Ray's, which would run until the job is cancelled
exit "$status"
