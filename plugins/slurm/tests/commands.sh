#!/bin/sh
# Stands for the commands of Slurm: prints what lies in a folder for each of them, and notes what it was asked.
#     sh commands.sh FOLDER squeue --json …
folder=$1
shift
printf '%s\n' "$*" >> "$folder/asked"
if [ "$1" = env ]; then
    shift
    while [ "${1#*=}" != "$1" ]; do shift; done
fi
if [ -e "$folder/down" ]; then
    echo "$1: error: Unable to contact slurm controller (connect failure)" >&2
    exit 1
fi
case " $* " in
    *" --json "*) form=json ;;
    *) form=txt ;;
esac
case " $* " in
    *" show config "*) file=config.txt ;;
    *" show node "*) file=nodes.$form ;;
    *" show partition "*) file=partitions.$form ;;
    *" show job "*) file=jobs.$form ;;
    *squeue*) file=queue.$form ;;
    *sacct*) file=accounting.$form ;;
esac
if [ ! -s "$folder/$file" ]; then
    echo "$1: unrecognized option '--json'" >&2
    exit 1
fi
cat "$folder/$file"
