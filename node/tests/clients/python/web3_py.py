"""web3.py: local signing, contracts, filters, batches, WebSocket."""

import asyncio
import json
import os
import sys
import time
import traceback

from eth_account import Account
from eth_account.messages import encode_defunct
from web3 import AsyncWeb3, Web3, WebSocketProvider
from web3.exceptions import (
    BlockNotFound,
    ContractCustomError,
    ContractLogicError,
    ContractPanicError,
    TransactionNotFound,
    Web3RPCError,
)
from web3.middleware import SignAndSendRawMiddlewareBuilder

HTTP, WS = os.environ["HTTP"], os.environ["WS"]
KEY = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
with open(os.environ["ARTIFACTS"]) as file:
    COIN = json.load(file)["Coin"]

web3 = Web3(Web3.HTTPProvider(HTTP))
account = Account.from_key(KEY)
done, failed = 0, []


def step(function):
    """Runs it at once; a failure is remembered, and the next steps still run."""
    global done
    try:
        value = function()
        done += 1
        return value
    except Exception:
        failed.append(function.__name__)
        print(f"FAILED {function.__name__}: {traceback.format_exc()[-3000:]}")


def mined(transaction):
    receipt = web3.eth.wait_for_transaction_receipt(transaction, timeout=20, poll_latency=0.05)
    assert receipt.status == 1, receipt
    return receipt


def raises(kind, function, words=""):
    try:
        value = function()
    except kind as error:
        assert words.lower() in str(error).lower(), f"no {words!r} in {error!r}"
        return error
    raise AssertionError(f"it must fail, but gave {value}")


@step
def reads():
    assert web3.is_connected(show_traceback=True)
    assert web3.eth.chain_id == 31337
    assert web3.net.version == "31337" and web3.net.listening
    assert web3.client_version
    assert web3.eth.get_balance(OTHER) == 10_000 * 10**18
    assert web3.eth.gas_price > 0 and web3.eth.max_priority_fee >= 0
    block = web3.eth.get_block("latest", full_transactions=True)
    assert web3.eth.get_block(block.hash).number == block.number
    assert web3.eth.get_block("pending").parentHash == web3.eth.get_block("latest").hash
    history = web3.eth.fee_history(4, "latest", [25, 50])
    assert len(history.baseFeePerGas) == len(history.gasUsedRatio) + 1
    assert len(web3.eth.accounts) == 10
    assert web3.eth.syncing is False
    raises(BlockNotFound, lambda: web3.eth.get_block(10**9))
    raises(TransactionNotFound, lambda: web3.eth.get_transaction("0x" + "11" * 32))


@step
def a_signed_transaction():
    fields = {
        "to": OTHER,
        "value": 1,
        "gas": 21_000,
        "maxFeePerGas": web3.eth.gas_price * 2,
        "maxPriorityFeePerGas": 10**9,
        "nonce": web3.eth.get_transaction_count(account.address),
        "chainId": 31337,
    }
    raw = account.sign_transaction(fields).raw_transaction
    receipt = mined(web3.eth.send_raw_transaction(raw))
    assert receipt.gasUsed == 21_000 and receipt.type == 2
    raises(Web3RPCError, lambda: web3.eth.send_raw_transaction(raw), "nonce too low")
    assert web3.eth.get_raw_transaction(receipt.transactionHash) == raw


web3.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(account), layer=0)
web3.eth.default_account = account.address


@step
def coin():
    """A contract is deployed."""
    factory = web3.eth.contract(abi=COIN["abi"], bytecode=COIN["bytecode"])
    receipt = mined(factory.constructor("Python", 10**21).transact())
    return web3.eth.contract(address=receipt.contractAddress, abi=COIN["abi"])


@step
def it_is_read_and_written():
    functions = coin.functions
    assert functions.balanceOf(account.address).call() == 10**21
    assert functions.transfer(OTHER, 5).estimate_gas() > 21_000
    receipt = mined(functions.transfer(OTHER, 5).transact())
    (event,) = coin.events.Transfer().process_receipt(receipt)
    assert event.args.value == 5 and event.args.to == OTHER
    assert functions.balanceOf(OTHER).call(block_identifier=receipt.blockNumber - 1) == 0
    assert len(coin.events.Transfer().get_logs(from_block=0)) == 2
    assert len(coin.events.Transfer().get_logs(from_block=0, argument_filters={"to": OTHER})) == 1
    # The number goes out as a short quantity, which anvil does not take.
    slot = 1 if os.environ["NODE_NAME"] != "anvil" else "0x" + "00" * 31 + "01"
    assert int.from_bytes(web3.eth.get_proof(coin.address, [slot]).storageProof[0].value) == 10**21


@step
def calls_with_other_state():
    slot = Web3.solidity_keccak(["uint256", "uint256"], [int(OTHER, 16), 2])
    override = {coin.address: {"stateDiff": {Web3.to_hex(slot): "0x" + "00" * 31 + "2a"}}}
    assert coin.functions.balanceOf(OTHER).call(state_override=override) == 42
    poor = Web3.to_checksum_address("0x" + "00" * 19 + "aa")
    call = {"from": poor, "to": OTHER, "value": 1, "gas": 21_000, "gasPrice": 0}
    raises(Web3RPCError, lambda: web3.eth.call(call), "insufficient")
    web3.eth.call(call, "latest", {poor: {"balance": hex(10**18)}})
    assert web3.eth.create_access_list({"from": account.address, "to": coin.address, "data": coin.encode_abi("transfer", [OTHER, 1])}).accessList


@step
def failures_are_decoded():
    functions = coin.functions
    raises(ContractCustomError, functions.transfer(OTHER, 10**30).call)
    raises(ContractLogicError, functions.failWithReason().call, "because of this")
    raises(ContractLogicError, functions.failWithReason().transact, "because of this")
    raises(ContractPanicError, functions.failWithPanic(0).call)
    raises(ContractLogicError, functions.failSilently().call)
    raises(Web3RPCError, lambda: web3.eth.send_transaction({"to": OTHER, "value": 10**30, "gas": 21_000}), "insufficient funds")
    raises(Web3RPCError, lambda: web3.eth.send_transaction({"to": OTHER, "nonce": 0, "gas": 21_000}), "nonce too low")


@step
def a_transaction_with_a_blob():
    blob = bytes(31) + b"\x01" + bytes(131_072 - 32)
    before = web3.eth.get_block("latest")
    fields = {
        "type": 3,
        "to": OTHER,
        "value": 0,
        "gas": 21_000,
        "maxFeePerGas": web3.eth.gas_price * 2,
        "maxPriorityFeePerGas": 10**9,
        "maxFeePerBlobGas": 10**9,
        "nonce": web3.eth.get_transaction_count(account.address),
        "chainId": 31337,
    }
    raw = account.sign_transaction(fields, blobs=[blob]).raw_transaction
    receipt = mined(web3.eth.send_raw_transaction(raw))
    assert receipt.type == 3 and receipt.blobGasUsed == 131_072, receipt
    block = web3.eth.get_block(receipt.blockNumber)
    assert block.blobGasUsed == 131_072 and block.number > before.number
    assert len(web3.eth.get_transaction(receipt.transactionHash).blobVersionedHashes) == 1
    # Without its blob it is no longer what is sent, and proofs that do not fit are noticed.
    broken = bytearray(raw)
    broken[len(raw) // 2] ^= 1
    raises(Web3RPCError, lambda: web3.eth.send_raw_transaction(bytes(broken)))


@step
def filters():
    events = coin.events.Transfer.create_filter(from_block="latest")
    blocks = web3.eth.filter("latest")
    pending = web3.eth.filter("pending")
    sent = coin.functions.transfer(OTHER, 1).transact()
    receipt = mined(sent)
    found, deadline = [], time.time() + 10
    while time.time() < deadline and not found:
        found += events.get_new_entries()
    hashes = [each.transactionHash for each in found]
    # anvil also gives what the latest block had before.
    assert hashes[-1:] == [sent] and (len(hashes) == 1 or os.environ["NODE_NAME"] == "anvil"), hashes
    assert receipt.blockHash in blocks.get_new_entries()
    assert sent in pending.get_new_entries()
    assert events.get_new_entries() == []
    assert web3.eth.uninstall_filter(events.filter_id)


@step
def a_batch():
    with web3.batch_requests() as batch:
        batch.add(web3.eth.get_block("latest"))
        batch.add(web3.eth.get_balance(OTHER))
        batch.add(coin.functions.symbol())
        block, balance, symbol = batch.execute()
    assert block.number > 0 and balance > 0 and symbol == "COIN"


@step
def the_node_signs():
    first = web3.eth.accounts[0]
    mined(web3.eth.send_transaction({"from": first, "to": OTHER, "value": 1}))
    signature = web3.eth.sign(first, text="hello")
    assert Account.recover_message(encode_defunct(text="hello"), signature=signature) == first


@step
def over_websocket():
    async def subscribe():
        async with AsyncWeb3(WebSocketProvider(WS)) as socket:
            heads = await socket.eth.subscribe("newHeads")
            logs = await socket.eth.subscribe("logs", {"address": coin.address})
            sent = await asyncio.to_thread(lambda: coin.functions.transfer(OTHER, 1).transact())
            seen = set()
            async with asyncio.timeout(15):
                async for message in socket.socket.process_subscriptions():
                    seen.add(message["subscription"])
                    if message["subscription"] == logs:
                        assert message["result"]["transactionHash"] == sent
                    if {heads, logs} <= seen:
                        break
            assert await socket.eth.unsubscribe(heads) and await socket.eth.unsubscribe(logs)

    asyncio.run(subscribe())


print(f"{done} steps done" + (f", {len(failed)} failed: {failed}" if failed else ""))
sys.exit(1 if failed or not done else 0)
