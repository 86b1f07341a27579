// SPDX-License-Identifier: GPL-2.0
/* A 16550 that transmits to stdout at once, and receives nothing. */
#include <linux/serial_reg.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "vmm.h"

#define UART_IRQ	4

/* The interrupt controller notices edges only. */
static void set_empty_pending(struct uart *uart, bool pending)
{
	struct kvm_irq_level level = { .irq = UART_IRQ };

	uart->empty_pending = pending;
	level.level = pending && uart->ier & UART_IER_THRI;
	check(ioctl(uart->vm_fd, KVM_IRQ_LINE, &level), "KVM_IRQ_LINE");
}

static void transmit(struct uart *uart, uint8_t byte)
{
	putchar(byte);
	if (byte == '\n')
		fflush(stdout);
	set_empty_pending(uart, false);
	set_empty_pending(uart, true);
}

static uint8_t interrupt_id(struct uart *uart)
{
	uint8_t id = uart->fifo ? 0xc0 : 0;

	if (!uart->empty_pending || !(uart->ier & UART_IER_THRI))
		return id | UART_IIR_NO_INT;
	set_empty_pending(uart, false);
	return id | UART_IIR_THRI;
}

static uint8_t modem_status(const struct uart *uart)
{
	if (!(uart->mcr & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	return (uart->mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
	       (uart->mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) |
	       (uart->mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) |
	       (uart->mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0);
}

void uart_write(struct uart *uart, unsigned int offset, uint8_t value)
{
	bool divisor = uart->lcr & UART_LCR_DLAB;

	switch (offset) {
	case UART_TX:
		if (divisor)
			uart->divisor = (uart->divisor & 0xff00) | value;
		else
			transmit(uart, value);
		break;
	case UART_IER:
		if (divisor) {
			uart->divisor = (uart->divisor & 0xff) | value << 8;
			break;
		}
		uart->ier = value & 0xf;
		set_empty_pending(uart, true);
		break;
	case UART_FCR:
		uart->fifo = value & UART_FCR_ENABLE_FIFO;
		break;
	case UART_LCR:
		uart->lcr = value;
		break;
	case UART_MCR:
		uart->mcr = value;
		break;
	case UART_SCR:
		uart->scratch = value;
		break;
	}
}

uint8_t uart_read(struct uart *uart, unsigned int offset)
{
	bool divisor = uart->lcr & UART_LCR_DLAB;

	switch (offset) {
	case UART_RX:
		return divisor ? uart->divisor : 0;
	case UART_IER:
		return divisor ? uart->divisor >> 8 : uart->ier;
	case UART_IIR:
		return interrupt_id(uart);
	case UART_LCR:
		return uart->lcr;
	case UART_MCR:
		return uart->mcr;
	case UART_LSR:
		return UART_LSR_TEMT | UART_LSR_THRE;
	case UART_MSR:
		return modem_status(uart);
	}
	return uart->scratch;
}
