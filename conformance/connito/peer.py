"""A validator's checkpoint server as upstream's is: FastAPI, with its checks and its
words. It cuts the first download off and is busy for the first submission, and
writes down what it is asked."""

import asyncio
import hashlib
import json
import os
import re
import sys

import sr25519
import uvicorn
from fastapi import FastAPI, File, Form, HTTPException, Request, UploadFile
from fastapi.responses import Response, StreamingResponse

BASE, RECORD, VALIDATOR, KEY, MINER, MINER_KEY = sys.argv[1:7]
KEY, MINER_KEY = bytes.fromhex(KEY), bytes.fromhex(MINER_KEY)
app = FastAPI(title="Checkpoint Sender")
seen = {"downloads": [], "submissions": []}


def unpadded(text):
    import base64

    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def save():
    with open(RECORD + ".tmp", "w") as f:
        json.dump(seen, f)
    os.replace(RECORD + ".tmp", RECORD)


@app.get("/get-checkpoint")
async def get_checkpoint(
    request: Request,
    target_hotkey_ss58: str = Form(None),
    origin_hotkey_ss58: str = Form(None),
    origin_block: int = Form(None),
    signature: str = Form(None),
    expert_group_id: str = Form(None),
):
    message = KEY + origin_block.to_bytes(8, "big")
    good = sr25519.verify(unpadded(signature), message, MINER_KEY)
    start = request.headers.get("range")
    seen["downloads"].append(
        {"good": good, "target": target_hotkey_ss58, "origin": origin_hotkey_ss58, "group": expert_group_id, "range": start}
    )
    save()
    if not good:
        raise HTTPException(403, "Invalid checkpoint download signature")
    with open(BASE, "rb") as f:
        data = f.read()
    headers = {
        "Content-Disposition": 'attachment; filename="step3"',
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
    }
    if start:
        offset = int(re.fullmatch(r"bytes=(\d+)-", start).group(1))
        if offset >= len(data):
            raise HTTPException(416, "Requested Range Not Satisfiable")
        headers["Content-Range"] = f"bytes {offset}-{len(data) - 1}/{len(data)}"
        return Response(data[offset:], 206, headers, "application/octet-stream")
    headers["Content-Length"] = str(len(data))

    async def cut():
        yield data[: len(data) // 2]
        await asyncio.sleep(0.1)
        raise RuntimeError("cut off on purpose")

    return StreamingResponse(cut(), 200, headers, "application/octet-stream")


@app.post("/submit-checkpoint")
async def submit_checkpoint(
    request: Request,
    target_hotkey_ss58: str = Form(...),
    origin_hotkey_ss58: str = Form(...),
    origin_block: int = Form(...),
    signature: str = Form(...),
    model_hex: str = Form(None),
    block_hex: str = Form(None),
    file: UploadFile = File(...),
):
    content = await file.read()
    message = bytes.fromhex(model_hex) + bytes.fromhex(block_hex)
    seen["submissions"].append(
        {
            "good": sr25519.verify(unpadded(signature), message, MINER_KEY),
            "block": bytes.fromhex(block_hex) == KEY + origin_block.to_bytes(8, "big"),
            "target": target_hotkey_ss58,
            "origin": origin_hotkey_ss58,
            "origin_block": origin_block,
            "model_hex": model_hex,
            "padding": signature.endswith("="),
            "filename": file.filename,
            "length": request.headers.get("content-length"),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    )
    save()
    if len(seen["submissions"]) == 1:
        raise HTTPException(503, "busy on purpose")
    return {"status": "ok", "stored_path": "x", "bytes": len(content), "sha256": seen["submissions"][-1]["sha256"]}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[7]), log_level="critical")
